#![allow(clippy::disallowed_methods)] // IO: takes rights away from this process.
//! What a child process gives up before it reads a stranger's byte: files, new sockets, new processes, memory without end.
//!
//! Three fences, each enough for most of what a broken decoder could be made to do: Landlock (no file can be opened, no TCP port
//! bound or reached), seccomp (only the system calls that decoding, encoding and two open sockets need), rlimits.

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::process::{Resource, Rlimit, Signal};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::collections::BTreeMap;

/// Descriptors of a child: three standard ones, two sockets, the runtime's epoll and eventfd, and room.
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
        .create()?
        .restrict_self()?;
    seccompiler::apply_filter(&filter()?)?;
    Ok(())
}

fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}

/// Everything not listed answers EPERM: a library that probes for more than it needs goes on without it.
fn filter() -> Result<BpfProgram, SandboxError> {
    let arch =
        TargetArch::try_from(std::env::consts::ARCH).map_err(|_| SandboxError::Architecture(std::env::consts::ARCH))?;
    let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let denied = SeccompAction::Errno(u32::try_from(libc::EPERM).expect("a small number"));
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).map_err(seccompiler::Error::from)?;
    Ok(BpfProgram::try_from(filter).map_err(seccompiler::Error::from)?)
}

/// In groups: the two sockets and standard error; waiting; memory; threads; time; signals and the end.
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
    libc::SYS_fcntl,
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
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_prctl,
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
    libc::SYS_tgkill,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
