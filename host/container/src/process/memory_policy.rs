//! `linux.memoryPolicy`: set_mempolicy(2).

use oci_spec::runtime::{LinuxMemoryPolicy, MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode};

use super::invalid::InvalidProcess;
use super::number_list;

const MODE: &str = "linux.memoryPolicy.mode";
const NODES: &str = "linux.memoryPolicy.nodes";
const FLAGS: &str = "linux.memoryPolicy.flags";

/// What set_mempolicy(2) takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemoryPolicy {
    mode: i32,
    nodes: Vec<u64>,
}

impl MemoryPolicy {
    pub(super) fn parse(policy: &LinuxMemoryPolicy) -> Result<Self, InvalidProcess> {
        let nodes = number_list::parse(NODES, policy.nodes().as_deref().unwrap_or_default())?;
        let flags = policy.flags().as_deref().unwrap_or_default();
        match policy.mode() {
            Mode::MpolDefault | Mode::MpolLocal if !nodes.is_empty() => {
                return Err(InvalidProcess::rule(NODES, "must be empty for this mode"));
            }
            Mode::MpolDefault if !flags.is_empty() => {
                return Err(InvalidProcess::rule(FLAGS, "must be empty for MPOL_DEFAULT"));
            }
            Mode::MpolDefault | Mode::MpolLocal | Mode::MpolPreferred => {}
            _ if nodes.is_empty() => return Err(InvalidProcess::rule(MODE, "needs linux.memoryPolicy.nodes")),
            _ => {}
        }
        if flags.contains(&Flag::MpolFStaticNodes) && flags.contains(&Flag::MpolFRelativeNodes) {
            return Err(InvalidProcess::rule(FLAGS, "holds both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES"));
        }
        let flags = flags.iter().fold(0, |all, flag| all | bit(*flag));
        Ok(Self { mode: number(policy.mode()) | flags, nodes })
    }

    pub(super) fn apply(&self) -> std::io::Result<()> {
        jail::set_memory_policy(self.mode, &self.nodes)
    }
}

/// `MPOL_*` of linux/mempolicy.h.
fn number(mode: Mode) -> i32 {
    match mode {
        Mode::MpolDefault => 0,
        Mode::MpolPreferred => 1,
        Mode::MpolBind => 2,
        Mode::MpolInterleave => 3,
        Mode::MpolLocal => 4,
        Mode::MpolPreferredMany => 5,
        Mode::MpolWeightedInterleave => 6,
    }
}

/// `MPOL_F_*` of linux/mempolicy.h.
fn bit(flag: Flag) -> i32 {
    match flag {
        Flag::MpolFStaticNodes => 1 << 15,
        Flag::MpolFRelativeNodes => 1 << 14,
        Flag::MpolFNumaBalancing => 1 << 13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<MemoryPolicy, InvalidProcess> {
        MemoryPolicy::parse(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn policies() {
        let policy = parse(r#"{"mode": "MPOL_BIND", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]}"#).unwrap();
        assert_eq!(policy, MemoryPolicy { mode: 2 | 1 << 15, nodes: vec![3] });
        assert_eq!(parse(r#"{"mode": "MPOL_LOCAL"}"#).unwrap().mode, 4);
        assert!(parse(r#"{"mode": "MPOL_PREFERRED"}"#).is_ok());
    }

    #[test]
    fn combinations_that_the_kernel_refuses() {
        for (json, field) in [
            (r#"{"mode": "MPOL_BIND"}"#, MODE),
            (r#"{"mode": "MPOL_INTERLEAVE", "nodes": ""}"#, MODE),
            (r#"{"mode": "MPOL_DEFAULT", "nodes": "0"}"#, NODES),
            (r#"{"mode": "MPOL_LOCAL", "nodes": "0"}"#, NODES),
            (r#"{"mode": "MPOL_BIND", "nodes": "x"}"#, NODES),
            (r#"{"mode": "MPOL_DEFAULT", "flags": ["MPOL_F_STATIC_NODES"]}"#, FLAGS),
            (
                r#"{"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}"#,
                FLAGS,
            ),
        ] {
            assert_eq!(parse(json).unwrap_err().field, field, "{json}");
        }
    }
}
