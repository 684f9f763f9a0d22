#![allow(clippy::disallowed_methods)] // IO: takes rights away from this process.
//! What a child process gives up before it reads a stranger's byte: files, new sockets, new processes, memory without end.
//!
//! Three fences, each enough for most of what a broken decoder could be made to do: Landlock (no file can be opened, no TCP port
//! bound or reached, and from Linux 6.12 on no process outside signalled), seccomp (only the system calls, and of some only the uses, that decoding, encoding and one open
//! socket need), rlimits.

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};
use rustix::process::{Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// Descriptors of a child: three standard ones, its socket, the runtime's epoll and eventfd, and room.
const OPEN_FILES: u64 = 64;

/// Why the fences could not be put up. The operator's kernel or ours; a child that cannot be fenced does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A limit was refused.
    #[error("setting a resource limit: {0}")]
    Limit(#[from] rustix::io::Errno),
    /// Landlock was refused.
    #[error("Landlock: {0}")]
    Landlock(#[from] landlock::RulesetError),
    /// seccomp was refused.
    #[error("seccomp: {0}")]
    Seccomp(#[from] seccompiler::Error),
    /// This architecture has no filter.
    #[error("seccomp: {0} is not an architecture that footlight knows; set packager.isolation to thread")]
    Architecture(&'static str),
}

/// Puts up all fences around the calling process, which has one thread. `memory_bytes` bounds its address space.
pub fn enter(memory_bytes: u64) -> Result<(), SandboxError> {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::As, memory_bytes)?;
    // A parent that is killed takes its children with it: nobody would read what they make.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // A kernel without Landlock (before 5.13), or with an older one, fences what it can: seccomp forbids open and connect anyway.
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V5))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .restrict_self()?;
    for filter in filters()? {
        seccompiler::apply_filter(&filter)?;
    }
    Ok(())
}

fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}

/// To be put up in this order. Everything not listed answers EPERM: a library that probes for more than it needs goes on without it.
fn filters() -> Result<[BpfProgram; 2], SandboxError> {
    let arch =
        TargetArch::try_from(std::env::consts::ARCH).map_err(|_| SandboxError::Architecture(std::env::consts::ARCH))?;
    let errno = |errno| SeccompAction::Errno(u32::try_from(errno).expect("a small number"));
    let program = |rules, mismatch, matches| -> Result<BpfProgram, SandboxError> {
        let filter = SeccompFilter::new(rules, mismatch, matches, arch).map_err(seccompiler::Error::from)?;
        Ok(BpfProgram::try_from(filter).map_err(seccompiler::Error::from)?)
    };
    let mut rules: Rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    rules.extend(restricted()?);
    // What clone3 is asked for lies in memory, where no filter can look: libc takes clone where there is no clone3.
    let without_clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    // The strict one last: it leaves no way to put up another.
    Ok([
        program(without_clone3, SeccompAction::Allow, errno(libc::ENOSYS))?,
        program(rules, errno(libc::EPERM), SeccompAction::Allow)?,
    ])
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// System calls of which only some uses are needed: threads and no processes, memory without code, signals to this process alone, names for threads,
/// and of descriptors only what a runtime asks: `F_SETOWN` with `F_SETSIG` would have the kernel send a signal to any process of this user.
fn restricted() -> Result<Rules, SandboxError> {
    let rule = |argument: u8, operator: SeccompCmpOp, value: u64| -> Result<SeccompRule, SandboxError> {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value);
        let condition = condition.map_err(seccompiler::Error::from)?;
        Ok(SeccompRule::new(vec![condition]).map_err(seccompiler::Error::from)?)
    };
    let bits = |bits: i32| u64::from(bits.cast_unsigned());
    let threads = rule(0, SeccompCmpOp::MaskedEq(bits(libc::CLONE_THREAD)), bits(libc::CLONE_THREAD))?;
    let data = rule(2, SeccompCmpOp::MaskedEq(bits(libc::PROT_EXEC)), 0)?;
    let ourselves = rule(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?;
    let name = rule(0, SeccompCmpOp::Eq, bits(libc::PR_SET_NAME))?;
    let descriptors = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC];
    let descriptors = descriptors.into_iter().map(|command| rule(1, SeccompCmpOp::Eq, bits(command)));
    Ok(BTreeMap::from([
        (libc::SYS_clone, vec![threads]),
        (libc::SYS_clone3, Vec::new()),
        (libc::SYS_mmap, vec![data.clone()]),
        (libc::SYS_mprotect, vec![data]),
        (libc::SYS_tgkill, vec![ourselves]),
        (libc::SYS_prctl, vec![name]),
        (libc::SYS_fcntl, descriptors.collect::<Result<_, _>>()?),
    ]))
}

/// In groups: the socket and standard error; waiting; memory; threads; time; signals and the end. More of them is in [`restricted`].
const ALLOWED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::os::fd::AsRawFd;

    /// fcntl(2); not among libc's constants.
    const F_SETSIG: i32 = 10;

    /// Runs in a thread behind the filters; the rest of the process is as it was.
    fn fenced<T: Send>(body: impl FnOnce() -> T + Send) -> T {
        let filters = filters().expect("they are made");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                for filter in &filters {
                    seccompiler::apply_filter(filter).expect("they are taken");
                }
                body()
            });
            thread.join().expect("it does not panic")
        })
    }

    fn errno(result: i64) -> Option<i32> {
        (result < 0).then(|| std::io::Error::last_os_error().raw_os_error()).flatten()
    }

    #[test]
    fn what_media_threads_need_goes_on() {
        let sum = fenced(|| {
            let thread = std::thread::Builder::new().name("named".into());
            let thread = thread.spawn(|| vec![1_u8; 64 << 20].iter().map(|b| u64::from(*b)).sum::<u64>());
            thread.expect("threads start").join().expect("they end")
        });
        assert_eq!(sum, 64 << 20);
    }

    #[test]
    fn files_sockets_and_processes_are_out_of_reach() {
        let kind = |error: std::io::Error| error.kind();
        let (file, socket, command) = fenced(|| {
            (
                std::fs::File::open("/etc/hostname").map_err(kind).err(),
                std::net::UdpSocket::bind("127.0.0.1:0").map_err(kind).err(),
                std::process::Command::new("/bin/true").spawn().map_err(kind).err(),
            )
        });
        assert_eq!([file, socket, command], [Some(ErrorKind::PermissionDenied); 3]);
    }

    #[test]
    fn no_signal_by_way_of_a_descriptor() {
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let parent = i32::try_from(std::os::unix::process::parent_id()).expect("a pid");
        let [owner, signal, flags, own] = fenced(|| {
            let ask = |command: i32, value: i32| {
                // SAFETY: of an open descriptor, only flags and ownership are changed, where that were not refused.
                errno(unsafe { libc::syscall(libc::SYS_fcntl, socket.as_raw_fd(), command, value) })
            };
            [
                ask(libc::F_SETOWN, parent),
                ask(F_SETSIG, libc::SIGURG),
                ask(libc::F_SETFL, libc::O_ASYNC),
                ask(libc::F_GETFL, 0),
            ]
        });
        assert_eq!([owner, signal, flags], [Some(libc::EPERM); 3]);
        assert_eq!(own, None, "what a runtime asks of its own sockets goes on");
    }

    #[test]
    fn no_fork_no_code_and_no_signal_to_others() {
        let parent = std::os::unix::process::parent_id();
        let (fork, code, signal, dumpable, clone3) = fenced(|| {
            // SAFETY: each of these is refused; were one not, the test fails: the fork's child ends at once, the mapping leaks, signal 0 does nothing.
            unsafe {
                let fork = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
                if fork == 0 {
                    libc::_exit(0);
                }
                let fork = errno(fork);
                let protection = libc::PROT_READ | libc::PROT_EXEC;
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let code = errno(libc::syscall(libc::SYS_mmap, 0, 4096, protection, flags, -1, 0));
                let signal = errno(libc::syscall(libc::SYS_tgkill, parent, parent, 0));
                let dumpable = errno(libc::syscall(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0));
                let clone3 = errno(libc::syscall(libc::SYS_clone3, 0, 0));
                (fork, code, signal, dumpable, clone3)
            }
        });
        assert_eq!([fork, code, signal, dumpable], [Some(libc::EPERM); 4]);
        assert_eq!(clone3, Some(libc::ENOSYS));
    }
}
