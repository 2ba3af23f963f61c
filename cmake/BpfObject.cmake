# hs_bpf_skeleton(TARGET SOURCE.bpf.c)
#     Compiles SOURCE.bpf.c for the BPF machine and makes an INTERFACE library TARGET, whose users can include
#     "SOURCE.skel.h", libbpf's skeleton of it. Plain uapi headers only: a vmlinux.h of the build machine would tie the
#     object to that machine's kernel.

find_program(HS_BPF_CLANG NAMES clang clang-14 REQUIRED)
find_program(HS_BPFTOOL NAMES bpftool HINTS /usr/sbin REQUIRED)
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-multiarch
    OUTPUT_VARIABLE HS_MULTIARCH OUTPUT_STRIP_TRAILING_WHITESPACE)

function(hs_bpf_skeleton target source)
    cmake_path(GET source STEM LAST_ONLY stem)          # forwarder.bpf
    cmake_path(REPLACE_EXTENSION stem LAST_ONLY "" OUTPUT_VARIABLE name)
    set(directory ${CMAKE_CURRENT_BINARY_DIR}/${target})
    set(object ${directory}/${name}.bpf.o)
    set(skeleton ${directory}/${name}.skel.h)
    file(MAKE_DIRECTORY ${directory})
    add_custom_command(OUTPUT ${object}
        COMMAND ${HS_BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -std=gnu17 -Wall -Wextra -Werror
                -I${PROJECT_SOURCE_DIR} -idirafter /usr/include/${HS_MULTIARCH}
                -MD -MF ${object}.d -MT ${object} -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
        DEPENDS ${source}
        DEPFILE ${object}.d
        COMMENT "Compiling ${source} for BPF"
        VERBATIM)
    add_custom_command(OUTPUT ${skeleton}
        COMMAND ${HS_BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}.tmp
        COMMAND ${CMAKE_COMMAND} -E rename ${skeleton}.tmp ${skeleton}
        DEPENDS ${object}
        COMMENT "Generating ${name}.skel.h")
    add_custom_target(${target}_generate DEPENDS ${skeleton})
    add_library(${target} INTERFACE)
    add_dependencies(${target} ${target}_generate)
    target_include_directories(${target} SYSTEM INTERFACE ${directory})
    target_link_libraries(${target} INTERFACE PkgConfig::BPF)
endfunction()
