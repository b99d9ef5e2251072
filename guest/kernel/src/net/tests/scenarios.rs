//! What happens inside the namespace. Run by the tests of the module above.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use linux_abi::Errno;
use linux_abi::net::{af, sock};

use super::TapMachine;
use super::machine::{HOST, NETWORK};
use crate::mem::{Sink, Source};
use crate::net::address::SockAddr;
use crate::net::pair::Ancillary;
use crate::net::socket::Socket;
use crate::vfs::{Events, File};

fn start() -> &'static TapMachine {
    let machine = TapMachine::install();
    crate::net::init(Some(&NETWORK));
    machine
}

fn internet(text: &str) -> SockAddr {
    SockAddr::Internet(text.parse().unwrap())
}

fn listen(port: u16, backlog: i32) -> Socket {
    let socket = Socket::open(af::INET, sock::STREAM, 0).unwrap();
    socket.bind(internet(&format!("0.0.0.0:{port}")), 0).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

fn write(socket: &Socket, data: &[u8]) -> Result<usize, Errno> {
    socket.send(&mut Source::kernel(data), None, Ancillary::default(), 0)
}

fn read(socket: &Socket, buffer: &mut [u8]) -> Result<usize, Errno> {
    socket.read(&mut Sink::kernel(buffer), 0)
}

fn client(port: u16) -> TcpStream {
    let address: SocketAddr = format!("10.77.0.2:{port}").parse().unwrap();
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Serves every connection of a listener until `clients` of them have ended; each gets back what it sends.
fn serve_echo(machine: &TapMachine, listener: &Socket, clients: usize) {
    let mut open: Vec<(Socket, Vec<u8>)> = Vec::new();
    let mut ended = 0;
    let mut buffer = vec![0u8; 65536];
    machine.run_until(|| {
        while let Ok((socket, _)) = listener.accept() {
            open.push((socket, Vec::new()));
        }
        open.retain_mut(|(socket, pending)| {
            loop {
                if !pending.is_empty() {
                    match write(socket, pending) {
                        Ok(n) => drop(pending.drain(..n)),
                        Err(Errno::EAGAIN) => return true,
                        Err(e) => panic!("write: {e}"),
                    }
                    continue;
                }
                match read(socket, &mut buffer) {
                    Ok(0) => {
                        socket.closed();
                        ended += 1;
                        return false;
                    }
                    Ok(n) => pending.extend_from_slice(&buffer[..n]),
                    Err(Errno::EAGAIN) => return true,
                    Err(e) => panic!("read: {e}"),
                }
            }
        });
        ended == clients
    });
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn echo() {
    let machine = start();
    let listener = listen(7, 128);
    const CLIENTS: usize = 50;
    const ROUNDS: usize = 100;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            thread::spawn(move || {
                let mut stream = client(7);
                stream.set_nodelay(true).unwrap();
                for round in 0..ROUNDS {
                    let text = format!("client {n}, round {round}");
                    stream.write_all(text.as_bytes()).unwrap();
                    let mut back = vec![0u8; text.len()];
                    stream.read_exact(&mut back).unwrap();
                    assert_eq!(back, text.as_bytes());
                }
            })
        })
        .collect();
    let begin = Instant::now();
    serve_echo(machine, &listener, CLIENTS);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let (reads, writes) = (machine.reads.load(Relaxed), machine.writes.load(Relaxed));
    eprintln!("{} round trips in {:?}, {reads} reads, {writes} writes", CLIENTS * ROUNDS, begin.elapsed());
}

use std::sync::atomic::Ordering::Relaxed;

#[test]
#[ignore = "runs in a namespace of its own"]
fn bulk() {
    let machine = start();
    let listener = listen(7, 128);
    const SIZE: usize = 64 << 20;
    let data: Arc<Vec<u8>> = Arc::new((0..SIZE).map(|i| ((i / 7) ^ (i >> 9)) as u8).collect());
    let begin = Instant::now();
    let stream = thread::spawn({
        let data = data.clone();
        move || {
            let mut stream = client(7);
            let mut writer = stream.try_clone().unwrap();
            let sent = data.clone();
            let writing = thread::spawn(move || {
                writer.write_all(&sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut back = Vec::with_capacity(SIZE);
            stream.read_to_end(&mut back).unwrap();
            writing.join().unwrap();
            assert!(back == *data, "{} of {SIZE} bytes came back right", back.len());
        }
    });
    serve_echo(machine, &listener, 1);
    // The last acknowledgements.
    machine.run_until(|| stream.is_finished());
    stream.join().unwrap();
    eprintln!("{SIZE} bytes there and back in {:?}", begin.elapsed());
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn connect() {
    let machine = start();
    let host = TcpListener::bind((HOST, 0)).unwrap();
    let port = host.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, peer) = host.accept().unwrap();
        stream.write_all(b"hello").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (peer, answer)
    });
    let socket = Socket::open(af::INET, sock::STREAM, 0).unwrap();
    let to = internet(&format!("{HOST}:{port}"));
    assert_eq!(socket.poll(), Events::OUT | Events::HUP);
    assert_eq!(socket.connect(to.clone()), Err(Errno::EINPROGRESS));
    assert_eq!(socket.connect(to.clone()), Err(Errno::EALREADY));
    machine.run_until(|| socket.poll().contains(Events::OUT));
    assert_eq!(socket.connected(), Ok(()));
    assert_eq!(socket.connect(to.clone()), Err(Errno::EISCONN));
    assert_eq!(socket.peer_address(), Ok(to));
    let mut buffer = [0u8; 16];
    machine.run_until(|| socket.poll().contains(Events::IN));
    assert_eq!(read(&socket, &mut buffer), Ok(5));
    assert_eq!(read(&socket, &mut buffer), Err(Errno::EAGAIN));
    assert_eq!(write(&socket, b"answer"), Ok(6));
    socket.shutdown(false, true).unwrap();
    assert_eq!(write(&socket, b"more"), Err(Errno::EPIPE));
    machine.run_until(|| server.is_finished());
    let (peer, answer) = server.join().unwrap();
    assert_eq!(answer, "answer");
    assert_eq!(socket.local_address(), SockAddr::Internet(peer));
    machine.run_until(|| socket.poll().contains(Events::HUP));
    assert_eq!(read(&socket, &mut buffer), Ok(0));

    let refused = Socket::open(af::INET, sock::STREAM, 0).unwrap();
    assert_eq!(refused.connect(internet(&format!("{HOST}:1"))), Err(Errno::EINPROGRESS));
    machine.run_until(|| refused.poll().contains(Events::ERR));
    assert_eq!(refused.connected(), Err(Errno::ECONNREFUSED));
    let nobody = Socket::open(af::INET, sock::STREAM, 0).unwrap();
    assert_eq!(nobody.connect(internet("10.77.0.99:1")), Err(Errno::EINPROGRESS));
    machine.run_until(|| nobody.poll().contains(Events::ERR));
    assert_eq!(nobody.connected(), Err(Errno::EHOSTUNREACH));
    nobody.closed();
    let nowhere = Socket::open(af::INET6, sock::STREAM, 0).unwrap();
    assert_eq!(nowhere.connect(internet("[2001:db8::1]:1")), Err(Errno::ENETUNREACH));
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn datagrams() {
    let machine = start();
    let host = UdpSocket::bind((HOST, 0)).unwrap();
    host.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let socket = Socket::open(af::INET, sock::DGRAM, 0).unwrap();
    socket.bind(internet("0.0.0.0:53"), 0).unwrap();
    host.send_to(b"question", "10.77.0.2:53").unwrap();
    machine.run_until(|| socket.poll().contains(Events::IN));
    let mut buffer = [0u8; 4];
    let received = socket.receive(&mut Sink::kernel(&mut buffer), 0).unwrap();
    assert_eq!((received.count, received.len, &buffer), (4, 8, b"ques"));
    let from = received.from.unwrap();
    assert_eq!(from, SockAddr::Internet(host.local_addr().unwrap()));
    let answer = |data: &[u8]| socket.send(&mut Source::kernel(data), Some(&from), Ancillary::default(), 0);
    assert_eq!(answer(b"answer"), Ok(6));
    assert_eq!(answer(&[0; 1473]), Err(Errno::EMSGSIZE));
    assert_eq!(answer(&[7; 1472]), Ok(1472));
    let mut back = [0u8; 2000];
    let mut got = Vec::new();
    machine.run_until(|| {
        host.set_nonblocking(true).unwrap();
        if let Ok((n, peer)) = host.recv_from(&mut back) {
            assert_eq!(peer, "10.77.0.2:53".parse().unwrap());
            got.push(n);
        }
        got.len() == 2
    });
    assert_eq!(got, [6, 1472]);

    // A port that nobody has.
    let lonely = Socket::open(af::INET, sock::DGRAM, 0).unwrap();
    lonely.connect(internet(&format!("{HOST}:9"))).unwrap();
    assert_eq!(write(&lonely, b"x"), Ok(1));
    machine.run_until(|| lonely.poll().contains(Events::ERR));
    assert_eq!(read(&lonely, &mut buffer), Err(Errno::ECONNREFUSED));
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn unknown() {
    let machine = start();
    let refused = thread::spawn(|| TcpStream::connect("10.77.0.2:9"));
    machine.run_until(|| refused.is_finished());
    assert_eq!(refused.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let ping = thread::spawn(|| std::process::Command::new("ping").args(["-c1", "-W5", "10.77.0.2"]).output());
    machine.run_until(|| ping.is_finished());
    match ping.join().unwrap() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(e) => eprintln!("SKIP: ping(8): {e}"),
    }
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn closing() {
    let machine = start();
    let listener = listen(7, 1);
    let mut buffer = [0u8; 16];

    // Data that nobody read is answered with a reset.
    let mut stream = thread::spawn(|| client(7));
    let mut accepted = None;
    machine.run_until(|| {
        accepted = accepted.take().or_else(|| listener.accept().ok());
        accepted.is_some() && stream.is_finished()
    });
    let (socket, _) = accepted.take().unwrap();
    let mut peer = stream.join().unwrap();
    peer.write_all(b"unread").unwrap();
    machine.run_until(|| socket.poll().contains(Events::IN));
    socket.closed();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(peer.read(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionReset);

    // A reset of the peer is told once, then the stream is at its end.
    stream = thread::spawn(|| client(7));
    machine.run_until(|| {
        accepted = accepted.take().or_else(|| listener.accept().ok());
        accepted.is_some() && stream.is_finished()
    });
    let (socket, _) = accepted.take().unwrap();
    peer = stream.join().unwrap();
    write(&socket, b"unread").unwrap();
    thread::sleep(Duration::from_millis(50));
    drop(peer);
    machine.run_until(|| socket.poll().contains(Events::ERR));
    assert_eq!(read(&socket, &mut buffer), Err(Errno::ECONNRESET));
    assert_eq!(read(&socket, &mut buffer), Ok(0));
    assert_eq!(write(&socket, b"x"), Err(Errno::EPIPE));
    socket.closed();

    // A listener that is closed refuses those who come, and resets those who wait.
    stream = thread::spawn(|| client(7));
    machine.run_until(|| stream.is_finished() && listener.poll().contains(Events::IN));
    peer = stream.join().unwrap();
    listener.closed();
    machine.run_until(|| true);
    assert_eq!(peer.read(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let late = thread::spawn(|| TcpStream::connect("10.77.0.2:7"));
    machine.run_until(|| late.is_finished());
    assert_eq!(late.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(crate::net::stack::lock().open_connections(), 0);
}

/// A frame that makes sense: the start of a connection, data, a datagram, a ping, an address request.
fn sensible(n: u64) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if n.is_multiple_of(7) {
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 77, 0, 1, 0, 0, 0, 0, 0, 0, 10, 77, 0, 2]);
        return frame;
    }
    let protocol = [6, 6, 6, 17, 1][n as usize % 5];
    let data = (n >> 8) as usize % 100;
    let header = if protocol == 6 { 24 } else { 8 };
    frame.extend([8, 0, 0x45, 0]);
    frame.extend(((20 + header + data) as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, protocol, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2]);
    let sum: u32 = frame[14..].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    let port = 40000 + (n >> 16) as u16 % 8;
    match protocol {
        6 => {
            frame.extend(port.to_be_bytes());
            frame.extend([0, 7]);
            frame.extend((n as u32 % 3).to_be_bytes());
            frame.extend(((n >> 20) as u32).to_be_bytes());
            let flags = [0x02, 0x10, 0x18, 0x11, 0x04, 0x12][n as usize % 6];
            frame.extend([0x60, flags, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xb4]);
        }
        17 => {
            frame.extend(port.to_be_bytes());
            frame.extend([0, 53]);
            frame.extend(((8 + data) as u16).to_be_bytes());
            frame.extend([0, 0]);
        }
        _ => frame.extend([[8, 3][n as usize % 2], 3, 0, 0, 0, 0, 0, 0]),
    }
    frame.resize(frame.len() + data, n as u8);
    frame
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn rubbish() {
    let machine = start();
    let listener = listen(7, 4);
    let inbox = Socket::open(af::INET, sock::DGRAM, 0).unwrap();
    inbox.bind(internet("0.0.0.0:53"), 0).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..50_000u64 {
        let mut frame = sensible(next());
        for _ in 0..next() % 4 {
            let at = next() as usize % frame.len();
            match next() % 3 {
                0 => frame[at] = next() as u8,
                1 => frame.truncate(at + 1),
                _ => frame[at] ^= 1 << (next() % 8),
            }
        }
        crate::net::stack::with(|stack| stack.inject(&frame, machine.clock()));
        if round % 64 == 0 {
            while let Ok((socket, _)) = listener.accept() {
                let _ = write(&socket, b"x");
                let _ = read(&socket, &mut [0; 100]);
                socket.closed();
            }
            while inbox.receive(&mut Sink::kernel(&mut [0; 64]), 0).is_ok() {}
            crate::net::poll();
        }
    }
    // Half-open connections are bounded, and the stack still works.
    assert!(crate::net::stack::lock().open_connections() < 1000);
    let echo = thread::spawn(|| client(7));
    machine.run_until(|| echo.is_finished() || listener.accept().is_ok());
}
