//! Networks other than the usual one, and what an instance can ask of the usual one.

use std::fs;

use cli_tests::{Sandbox, eventually};

#[track_caller]
fn shell(sandbox: &Sandbox, flags: &[&str], script: &str) -> String {
    sandbox.coracle(&[&["run", "--rm"], flags, &["busybox", "busybox", "sh", "-c", script]].concat()).ok()
}

#[test]
fn an_address_of_choice() {
    let sandbox = Sandbox::with_busybox();
    // The first lease tells which subnet this sandbox has.
    let own = shell(&sandbox, &[], "ip -4 -o address show eth0 | awk '{print $4}'");
    let prefix = own.trim().split('.').take(2).collect::<Vec<_>>().join(".");
    let address = format!("{prefix}.9.9");
    let flags = ["--ip", &address, "--mac-address", "02:42:0a:00:00:05"];
    let out = shell(
        &sandbox,
        &flags,
        "ip -o address show eth0; cat /sys/class/net/eth0/address; ping -c 1 -W 2 $(ip route | awk '/default/ {print $3}') > /dev/null && echo reached",
    );
    assert!(out.contains(&address) && out.ends_with("02:42:0a:00:00:05\nreached\n"), "{out}");
    sandbox.coracle(&["run", "-d", "--name", "holder", "--ip", &address, "busybox", "busybox", "sleep", "1000"]).ok();
    let taken = sandbox.coracle(&["run", "--rm", "--ip", &address, "busybox", "busybox", "true"]).fails(125);
    assert!(taken.contains("belongs to the instance 'holder'"), "{taken}");
    for bad in ["192.0.2.1".to_owned(), format!("{prefix}.0.1"), format!("{prefix}.255.255")] {
        let error = sandbox.coracle(&["run", "--rm", "--ip", &bad, "busybox", "busybox", "true"]).fails(125);
        assert!(error.contains("not an address for instances"), "{bad}: {error}");
    }
    for bad in ["", "1.2.3", "::1", "10.0.0.0/8"] {
        sandbox.coracle(&["run", "--rm", "--ip", bad, "busybox", "busybox", "true"]).fails(125);
    }
    sandbox.coracle(&["rm", "-f", "holder"]).ok();
    sandbox.assert_clean();
}

#[test]
fn names_and_servers() {
    let sandbox = Sandbox::with_busybox();
    let flags = ["--dns", "192.0.2.53", "--dns-search", "example.com", "--dns-option", "ndots:3"];
    let more = ["--add-host", "db:10.1.2.3", "--add-host", "gateway:host-gateway"];
    let out = shell(&sandbox, &[&flags[..], &more].concat(), "cat /etc/resolv.conf; tail -n 2 /etc/hosts; ip route");
    let gateway = out.lines().find_map(|line| line.strip_prefix("default via ")).unwrap().split(' ').next().unwrap();
    let expected =
        format!("nameserver 192.0.2.53\nsearch example.com\noptions ndots:3\n10.1.2.3\tdb\n{gateway}\tgateway\n");
    assert!(out.starts_with(&expected), "{out}");
    let unikernel =
        ["run", "--rm", "--as", "unikernel", "--add-host", "db:10.1.2.3", "busybox", "busybox", "cat", "/etc/hosts"];
    assert!(sandbox.coracle(&unikernel).ok().contains("10.1.2.3\tdb"));
    sandbox.assert_clean();
}

#[test]
fn the_host_s_network() {
    let sandbox = Sandbox::with_busybox();
    let host = sandbox.run("readlink", &["/proc/self/ns/net"]).ok();
    assert_eq!(shell(&sandbox, &["--network", "host"], "readlink /proc/self/ns/net"), host);
    let hosts = shell(&sandbox, &["--network", "host", "--add-host", "me:host-gateway"], "cat /etc/hosts");
    assert!(
        hosts.starts_with(&fs::read_to_string("/etc/hosts").unwrap()) && hosts.ends_with("127.0.0.1\tme\n"),
        "{hosts}"
    );
    let error = sandbox.coracle(&["run", "--rm", "--network", "host", "-p", "80:80", "busybox", "busybox", "true"]);
    assert!(error.fails(125).contains("leave out -p"));
    sandbox.assert_clean();
}

#[test]
fn the_network_of_another_container() {
    let sandbox = Sandbox::with_busybox();
    let server = "echo hello > /index.html; httpd -f -p 127.0.0.1:8080 -h /";
    sandbox
        .coracle(&["run", "-d", "--name", "server", "--hostname", "web", "busybox", "busybox", "sh", "-c", server])
        .ok();
    let joined = ["--network", "container:server"];
    eventually("the server's loopback answers", 5, || {
        let script = "wget -q -O - http://127.0.0.1:8080/index.html";
        let args = [&["run", "--rm"][..], &joined, &["busybox", "busybox", "sh", "-c", script]].concat();
        sandbox.coracle(&args).out == "hello\n"
    });
    let out = shell(&sandbox, &joined, "hostname; cat /etc/hosts");
    assert!(out.starts_with("web\n") && out.contains("\tweb server\n"), "{out}");
    for (flags, part) in [(&["-p", "80:80"][..], "leave out -p"), (&["--hostname", "x"], "host name")] {
        let args = [&["run", "--rm"], &joined[..], flags, &["busybox", "busybox", "true"]].concat();
        assert!(sandbox.coracle(&args).fails(125).contains(part));
    }
    sandbox.coracle(&["rm", "-f", "server"]).ok();
    let error =
        sandbox.coracle(&["run", "--rm", "--network", "container:server", "busybox", "busybox", "true"]).fails(125);
    assert!(error.contains("no instance 'server'"), "{error}");
    sandbox.assert_clean();
}

#[test]
fn every_exposed_port() {
    let sandbox = Sandbox::with_busybox();
    let flags = ["run", "-d", "--name", "server", "-P", "--expose", "8080", "--expose", "53/udp"];
    sandbox.coracle(&[&flags[..], &["busybox", "busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"]].concat()).ok();
    let published = sandbox.inspect("server")["plan"]["network"]["published"].clone();
    let ports: Vec<_> =
        published.as_array().unwrap().iter().map(|p| (p["port"].as_u64(), p["protocol"].as_str())).collect();
    assert_eq!(ports, [(Some(53), Some("udp")), (Some(8080), Some("tcp"))]);
    let url = format!("http://127.0.0.1:{}/hostname", published[1]["host_port"]);
    eventually("the published port answers", 5, || sandbox.run("busybox", &["wget", "-q", "-O", "-", &url]).code == 0);
    sandbox.coracle(&["rm", "-f", "server"]).ok();
    sandbox.assert_clean();
}
