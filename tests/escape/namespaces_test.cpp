// Attempts to get more privileges by namespaces and other files by mounts.
#include "tests/escape/escape_fixture.h"

namespace homeslice::escape {
namespace {

using Control = Attempt::Control;

class NamespaceEscape : public RefusedTest {};
TEST_P(NamespaceEscape, IsRefused) { expectRefused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(NewOnes, NamespaceEscape,
                         testing::Values(Attempt{"unshare_user", {"unshare_user"}, EPERM, Control::outside},
                                         Attempt{"unshare_mount", {"unshare_mount"}, EPERM, Control::outside},
                                         Attempt{"unshare_pid", {"unshare_pid"}, EPERM, Control::outside},
                                         Attempt{"unshare_network", {"unshare_network"}, EPERM, Control::outside},
                                         Attempt{"unshare_uts", {"unshare_uts"}, EPERM, Control::outside},
                                         Attempt{"unshare_ipc", {"unshare_ipc"}, EPERM, Control::outside},
                                         Attempt{"unshare_cgroup", {"unshare_cgroup"}, EPERM, Control::outside},
                                         Attempt{"unshare_time", {"unshare_time"}, ENOSYS, Control::outside},
                                         Attempt{"clone_user", {"clone_user"}, EPERM, Control::outside},
                                         Attempt{"clone3_user", {"clone3_user"}, ENOSYS, Control::outside},
                                         Attempt{"unshare_user_as_nobody",
                                                 {"as_user", "1000", "unshare_user"},
                                                 EPERM,
                                                 Control::outside,
                                                 {"as_user", "65534", "unshare_user"}}),
                         nameOf);

INSTANTIATE_TEST_SUITE_P(OtherOnes, NamespaceEscape,
                         testing::Values(Attempt{"setns_own", {"setns", "/proc/self/ns/net"}, EPERM, Control::outside},
                                         Attempt{"setns_of_init", {"setns", "/proc/1/ns/net"}, EACCES},
                                         Attempt{"parent_user_namespace", {"parent_namespace"}, EPERM},
                                         Attempt{"write_uid_map", {"uid_map"}, EPERM}),
                         nameOf);

INSTANTIATE_TEST_SUITE_P(
    Mounts, NamespaceEscape,
    testing::Values(
        Attempt{"mount_tmpfs", {"mount_tmpfs"}, EPERM, Control::outside},
        Attempt{"mount_bind", {"mount_bind"}, EPERM, Control::outside},
        Attempt{"mount_proc_without_masks", {"mount_proc"}, EPERM, Control::outside},
        Attempt{"make_proc_sys_writable", {"mount_writable", "/proc/sys"}, EPERM},
        Attempt{"make_sys_writable", {"mount_writable", "/sys"}, EPERM, Control::outside},
        Attempt{"uncover_kcore", {"unmount", "/proc/kcore"}, EPERM},
        Attempt{"unmount_proc", {"unmount", "/proc"}, EPERM, Control::outside},
        Attempt{"fsopen", {"fsopen"}, EPERM, Control::outside}, Attempt{"fspick", {"fspick"}, EPERM, Control::outside},
        Attempt{"open_tree", {"open_tree"}, EPERM, Control::outside},
        Attempt{"move_mount", {"move_mount"}, EPERM, Control::outside},
        Attempt{"mount_setattr", {"mount_setattr"}, EPERM, Control::outside},
        Attempt{"pivot_root", {"pivot_root"}, EPERM, Control::outside, {}, EBUSY},
        Attempt{"mount_host_device", {"mount_device"}, EPERM},
        Attempt{"mount_host_device_by_name", {"mount_device_by_name", "/dev/sda"}, EPERM, Control::outside, {}, ENOENT},
        Attempt{"leave_by_chroot", {"leave_chroot"}, EXDEV}),
    nameOf);

INSTANTIATE_TEST_SUITE_P(
    ReleaseAgentCve20220492, NamespaceEscape,
    testing::Values(Attempt{"mount_hierarchy", {"release_agent"}, EPERM},
                    Attempt{"in_new_namespaces",
                            {"release_agent_in_new_namespaces"},
                            EPERM,
                            Control::outside,
                            {"as_user", "65534", "unshare_user_and_cgroup"}},
                    Attempt{"no_hierarchy_is_there", {"list", "/sys/fs/cgroup"}, ENOENT, Control::outside}),
    nameOf);

using NamespaceView = EscapeTest;

TEST_F(NamespaceView, TheCgroupNamespaceHidesTheGroupsPlace) {
    const Outcome seen = shell("cat /proc/self/cgroup");
    EXPECT_THAT(seen.output, testing::Not(testing::HasSubstr("hst-sliver")));
    EXPECT_THAT(seen.output, testing::HasSubstr(":/\n"));
}

TEST_F(NamespaceView, TheMountTableNamesNoPathOfTheHost) {
    const Outcome seen = shell("cat /proc/self/mountinfo /proc/mounts");
    EXPECT_EQ(seen.status, 0);
    EXPECT_THAT(seen.output, testing::HasSubstr("overlay"));
    EXPECT_THAT(seen.output, testing::Not(testing::HasSubstr("hst-sliver"))) << "the state directory's name";
}

}  // namespace
}  // namespace homeslice::escape
