use cgroup::{Controller, Error};
use serde_json::{Value, json};

use super::{Case, ready};

const MIB: u64 = 1 << 20;

/// The error of a field, whose name must be in the message.
#[track_caller]
fn refused(result: Result<(), Error>, field: &str) -> Error {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(field), "{error}");
    error
}

fn created(json: Value) -> Result<(), Error> {
    Case::try_new(json).map(drop)
}

#[test]
#[ignore = "inside the guest"]
fn memory() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "memory": { "limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB } }));
    case.files(&[("memory.max", "67108864"), ("memory.swap.max", "33554432"), ("memory.low", "33554432")]);
    case.update(json!({ "memory": { "limit": 128 * MIB, "swap": 128 * MIB } })).unwrap();
    case.files(&[("memory.max", "134217728"), ("memory.swap.max", "0")]);
    case.update(json!({ "memory": { "swap": 130 * MIB } })).unwrap();
    case.files(&[("memory.max", "134217728"), ("memory.swap.max", "2097152")]);
    refused(case.update(json!({ "memory": { "swap": MIB } })), "memory.swap");
    case.update(json!({ "memory": { "limit": -1 } })).unwrap();
    case.files(&[("memory.max", "max"), ("memory.swap.max", "max")]);
    refused(created(json!({ "memory": { "swap": MIB } })), "linux.resources.memory.limit");
    refused(created(json!({ "memory": { "limit": 2 * MIB, "swap": MIB } })), "linux.resources.memory.swap");
    refused(created(json!({ "memory": { "swappiness": 5 } })), "linux.resources.memory.swappiness");
    refused(created(json!({ "memory": { "disableOOMKiller": true } })), "linux.resources.memory.disableOOMKiller");
    let lenient =
        json!({ "memory": { "disableOOMKiller": false, "kernel": MIB, "kernelTCP": MIB, "useHierarchy": true } });
    assert_eq!(Case::new(lenient).group.warnings().len(), 2, "kernel and kernelTCP");
}

#[test]
#[ignore = "inside the guest"]
fn a_limit_below_the_use_is_checked_when_asked() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "memory": { "limit": 64 * MIB } }));
    let mut child = case.shell("exec /bin/busybox dd if=/dev/zero of=/tmp/pages bs=1M count=4");
    assert!(child.wait().unwrap().success());
    assert!(case.group.usage().memory > 4 * MIB, "pages of a file stay charged");
    let small = json!({ "memory": { "limit": MIB, "checkBeforeUpdate": true } });
    assert!(matches!(refused(case.update(small), "checkBeforeUpdate"), Error::Value { .. }));
    case.files(&[("memory.max", "67108864")]);
}

#[test]
#[ignore = "inside the guest"]
fn cpu() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "cpu": { "shares": 1024, "quota": 50_000, "period": 100_000, "burst": 20_000 } }));
    case.files(&[("cpu.weight", "100"), ("cpu.max", "50000 100000"), ("cpu.max.burst", "20000")]);
    case.update(json!({ "cpu": { "period": 200_000 } })).unwrap();
    case.files(&[("cpu.max", "50000 200000")]);
    case.update(json!({ "cpu": { "quota": 10_000, "burst": 5_000 } })).unwrap();
    case.files(&[("cpu.max", "10000 200000"), ("cpu.max.burst", "5000")]);
    case.update(json!({ "cpu": { "quota": -1, "shares": 2048, "burst": 0 } })).unwrap();
    case.files(&[("cpu.max", "max 200000"), ("cpu.weight", "174")]);
    case.update(json!({ "cpu": { "idle": 1 } })).unwrap();
    case.files(&[("cpu.idle", "1")]);
    case.update(json!({ "cpu": { "idle": 0, "shares": 2 } })).unwrap();
    case.files(&[("cpu.idle", "0"), ("cpu.weight", "1")]);
    refused(created(json!({ "cpu": { "realtimeRuntime": 1000 } })), "linux.resources.cpu.realtimeRuntime");
    refused(created(json!({ "cpu": { "idle": 2 } })), "linux.resources.cpu.idle");
    let error = refused(created(json!({ "cpu": { "quota": 5 } })), "linux.resources.cpu.quota");
    assert!(matches!(error, Error::Field { path, .. } if path.ends_with("cpu.max")));
}

#[test]
#[ignore = "inside the guest"]
fn cpuset_and_pids() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "cpu": { "cpus": "0", "mems": "0" }, "pids": { "limit": 7 } }));
    case.files(&[("cpuset.cpus", "0"), ("cpuset.mems", "0"), ("pids.max", "7"), ("cpuset.cpus.effective", "0")]);
    for none in [-1, 0] {
        case.update(json!({ "pids": { "limit": 3 } })).unwrap();
        case.update(json!({ "pids": { "limit": none } })).unwrap();
        case.files(&[("pids.max", "max")]);
    }
    refused(created(json!({ "cpu": { "cpus": "400000" } })), "linux.resources.cpu.cpus");
    refused(created(json!({ "cpu": { "cpus": "x" } })), "linux.resources.cpu.cpus");
}

/// The disk that the image is on.
fn disk() -> String {
    std::fs::read_to_string("/sys/block/vda/dev").unwrap().trim().to_owned()
}

#[test]
#[ignore = "inside the guest"]
fn block_io() {
    if !ready() {
        return;
    }
    let disk = disk();
    let (major, minor) = disk.split_once(':').unwrap();
    let (major, minor): (i64, i64) = (major.parse().unwrap(), minor.parse().unwrap());
    let rate = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    let case = Case::new(json!({ "blockIO": {
        "throttleReadBpsDevice": rate(1_000_000), "throttleWriteBpsDevice": rate(2_000_000),
        "throttleReadIOPSDevice": rate(300), "throttleWriteIOPSDevice": rate(400), "weight": 500 } }));
    case.files(&[("io.max", &format!("{disk} rbps=1000000 wbps=2000000 riops=300 wiops=400"))]);
    case.files(&[("io.weight", "default 4950")]);
    case.update(json!({ "blockIO": { "throttleReadBpsDevice": rate(0), "weight": 10 } })).unwrap();
    case.files(&[("io.max", &format!("{disk} rbps=max wbps=2000000 riops=300 wiops=400")), ("io.weight", "default 1")]);
    let weight = json!([{ "major": major, "minor": minor, "weight": 1000 }]);
    // The kernel weighs a disk only if its cost model is enabled.
    refused(case.update(json!({ "blockIO": { "weightDevice": weight } })), "linux.resources.blockIO.weightDevice");
    std::fs::write("/sys/fs/cgroup/io.cost.qos", format!("{disk} enable=1")).unwrap();
    case.update(json!({ "blockIO": { "weightDevice": weight } })).unwrap();
    case.files(&[("io.weight", &format!("default 1\n{disk} 10000"))]);
    refused(created(json!({ "blockIO": { "weight": 5 } })), "linux.resources.blockIO.weight");
    refused(created(json!({ "blockIO": { "leafWeight": 50 } })), "linux.resources.blockIO.leafWeight");
    let nowhere = json!([{ "major": 250, "minor": 250, "rate": 1 }]);
    refused(created(json!({ "blockIO": { "throttleReadBpsDevice": nowhere } })), "throttleReadBpsDevice");
}

#[test]
#[ignore = "inside the guest"]
fn huge_pages() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4 * MIB }] }));
    case.files(&[("hugetlb.2MB.max", "4194304"), ("hugetlb.2MB.rsvd.max", "4194304")]);
    case.update(json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": -1 }] })).unwrap();
    case.files(&[("hugetlb.2MB.max", "max")]);
    refused(created(json!({ "hugepageLimits": [{ "pageSize": "3MB", "limit": 1 }] })), "3MB");
    refused(created(json!({ "hugepageLimits": [{ "pageSize": "../x", "limit": 1 }] })), "hugepageLimits");
}

#[test]
#[ignore = "inside the guest"]
fn what_version_2_or_this_machine_has_not() {
    if !ready() {
        return;
    }
    let error = refused(created(json!({ "network": { "classID": 1 } })), "linux.resources.network.classID");
    assert!(matches!(error, Error::MissingController { controller: Controller::NetCls, .. }));
    let priorities = json!({ "network": { "priorities": [{ "name": "lo", "priority": 1 }] } });
    refused(created(priorities), "linux.resources.network.priorities");
    let error = refused(created(json!({ "rdma": { "mlx9": { "hcaHandles": 1 } } })), "linux.resources.rdma");
    assert!(matches!(error, Error::Field { path, .. } if path.ends_with("rdma.max")));
}

#[test]
#[ignore = "inside the guest"]
fn unified() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "unified": { "memory.high": "33554432", "pids.max": "9", "cgroup.max.depth": "3" } }));
    case.files(&[("memory.high", "33554432"), ("pids.max", "9"), ("cgroup.max.depth", "3")]);
    for name in ["../memory.high", "memory", "..", "a/b.c"] {
        let result = created(json!({ "unified": { name: "1" } }));
        assert!(matches!(refused(result, "linux.resources.unified"), Error::Value { .. }), "{name}");
    }
    let result = created(json!({ "unified": { "memory.nonsense": "1" } }));
    assert!(matches!(refused(result, "memory.nonsense"), Error::MissingFile { .. }));
    let result = created(json!({ "unified": { "memory.high": "many" } }));
    assert!(matches!(refused(result, "linux.resources.unified"), Error::Field { .. }));
}
