use oci_spec::runtime::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process, User};
use plan::Options;
use plan::options::Ulimit;

use super::capabilities;

/// A program of a container, the first or a further one.
pub(crate) fn process(plan: &plan::Process, options: &Options) -> Process {
    let mut user = User::default();
    user.set_uid(plan.user.uid);
    user.set_gid(plan.user.gid);
    user.set_umask(Some(0o022));
    user.set_additional_gids((!plan.user.additional_gids.is_empty()).then(|| plan.user.additional_gids.clone()));
    let security = &options.security;
    let mut process = Process::default();
    process.set_terminal(Some(plan.terminal));
    process.set_user(user);
    process.set_args(Some(plan.args.clone()));
    process.set_env(Some(plan.env.clone()));
    process.set_cwd(plan.cwd.clone().into());
    process.set_capabilities(Some(capabilities::sets(options, plan.user.uid)));
    process.set_no_new_privileges(Some(security.no_new_privileges.unwrap_or(!security.privileged)));
    process.set_apparmor_profile(security.apparmor.clone());
    process.set_selinux_label(label(&security.label));
    process.set_oom_score_adj(options.oom_score_adj);
    let limits: Vec<PosixRlimit> = options.ulimits.iter().filter_map(rlimit).collect();
    process.set_rlimits((!limits.is_empty()).then_some(limits));
    process
}

/// A complete SELinux label, if parts of one were given; the rest as container-selinux has it.
fn label(parts: &[String]) -> Option<String> {
    let part = |key: &str| parts.iter().rev().find_map(|part| part.strip_prefix(key)).filter(|value| !value.is_empty());
    if parts.is_empty() || parts.iter().any(|part| part == "disable") {
        return None;
    }
    let (user, role) = (part("user:").unwrap_or("system_u"), part("role:").unwrap_or("system_r"));
    let (kind, level) = (part("type:").unwrap_or("container_t"), part("level:").unwrap_or("s0"));
    Some(format!("{user}:{role}:{kind}:{level}"))
}

fn rlimit(limit: &Ulimit) -> Option<PosixRlimit> {
    let kind = match limit.name.as_str() {
        "as" => PosixRlimitType::RlimitAs,
        "core" => PosixRlimitType::RlimitCore,
        "cpu" => PosixRlimitType::RlimitCpu,
        "data" => PosixRlimitType::RlimitData,
        "fsize" => PosixRlimitType::RlimitFsize,
        "locks" => PosixRlimitType::RlimitLocks,
        "memlock" => PosixRlimitType::RlimitMemlock,
        "msgqueue" => PosixRlimitType::RlimitMsgqueue,
        "nice" => PosixRlimitType::RlimitNice,
        "nofile" => PosixRlimitType::RlimitNofile,
        "nproc" => PosixRlimitType::RlimitNproc,
        "rss" => PosixRlimitType::RlimitRss,
        "rtprio" => PosixRlimitType::RlimitRtprio,
        "rttime" => PosixRlimitType::RlimitRttime,
        "sigpending" => PosixRlimitType::RlimitSigpending,
        "stack" => PosixRlimitType::RlimitStack,
        // `Ulimit` knows no others.
        _ => return None,
    };
    PosixRlimitBuilder::default().typ(kind).soft(limit.soft).hard(limit.hard).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let of = |parts: &[&str]| label(&parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["disable"]), None);
        assert_eq!(of(&["level:s0:c1,c2", "type:spc_t"]).as_deref(), Some("system_u:system_r:spc_t:s0:c1,c2"));
    }
}
