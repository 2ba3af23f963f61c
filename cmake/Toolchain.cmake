# Language level, warnings, ccache, sanitizers and output folders, for every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

set(HS_SANITIZE "" CACHE STRING "Sanitizers for everything but sliver-init and the launcher, as in -fsanitize=")
if(HS_SANITIZE)
    add_compile_options(-fsanitize=${HS_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${HS_SANITIZE})
endif()

add_library(hs_warnings INTERFACE)
target_compile_options(hs_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
    -Wnull-dereference -Wimplicit-fallthrough -Werror)
# g++ 12 sees overlapping copies in "literal" + std::string once it inlines (GCC bug 105651).
target_compile_options(hs_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
