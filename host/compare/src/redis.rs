//! The client: the real redis-benchmark, and a PING of our own to see when the server answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::Error;

/// Asks once. `Ok(false)` if there is no server yet.
pub(crate) fn ping(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(b"PING\r\n")?;
    let mut reply = [0u8; 7];
    stream.read_exact(&mut reply)?;
    Ok(&reply == b"+PONG\r\n")
}

/// One run of redis-benchmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// `set` or `get`.
    pub(crate) test: &'static str,
    /// Requests under way on each connection.
    pub(crate) pipeline: u32,
    /// Connections.
    pub(crate) connections: u32,
    /// Requests in all.
    pub(crate) requests: u32,
}

/// Runs it, in the network namespace of process `inside` if given, and gives the requests a second.
pub(crate) fn benchmark(address: SocketAddr, load: Load, inside: Option<i32>) -> Result<f64, Error> {
    let mut command = match inside {
        None => Command::new("redis-benchmark"),
        Some(pid) => {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{pid}/ns/net")).arg("redis-benchmark");
            command
        }
    };
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    command.args(["-h", &host, "-p", &port, "-t", load.test, "--csv", "-d", "64", "-r", "10000"]);
    command.args(["-P", &load.pipeline.to_string(), "-c", &load.connections.to_string()]);
    command.args(["-n", &load.requests.to_string()]);
    let output = command.output().map_err(|source| Error::NoClient {
        program: "redis-benchmark",
        package: "redis-tools",
        source,
    })?;
    if !output.status.success() {
        return Err(Error::Client(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text, load.test).ok_or_else(|| Error::Output(text.trim().to_owned()))
}

/// The second column of the line that begins with the test's name.
fn parse(csv: &str, test: &str) -> Option<f64> {
    let mut fields = csv.lines().filter_map(|line| line.split_once(','));
    let (_, rest) = fields.find(|(name, _)| name.trim_matches('"').eq_ignore_ascii_case(test))?;
    rest.split(',').next()?.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_csv_of_redis_7() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"81300.81\",\"0.4\"\n\"GET\",\"90000.00\",\"0.3\"\n";
        assert_eq!(parse(csv, "set"), Some(81300.81));
        assert_eq!(parse(csv, "get"), Some(90000.0));
        assert_eq!(parse(csv, "lpush"), None);
        assert_eq!(parse("", "set"), None);
    }
}
