//! Entry for the fuzzer: frames from the wire, and what the application writes into buffers of its own.

use alloc::vec::Vec;

use linux_abi::net::af;

use crate::net::{address, frame, netlink};

/// Feeds every parser of foreign bytes that needs no machine.
pub fn parse_packets(data: &[u8]) {
    let _ = frame::classify(data);
    for family in [af::INET, af::INET6, af::UNIX, af::NETLINK] {
        // An unspecified address only goes in: what is told of an unnamed socket is its own family.
        if let Ok(decoded) = address::decode(data, family)
            && decoded != address::SockAddr::Unspecified
        {
            let (bytes, len) = address::encode(&decoded, family);
            assert_eq!(address::decode(&bytes[..len], family), Ok(decoded));
        }
    }
    let _: Vec<Vec<u8>> = netlink::answer(data, 1, &[]);
    assert!(super::calls::control_messages(data) <= data.len() / 16);
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_fuzzer_feeds_is_survived() {
        let mut state = 1u64;
        for len in (0..2000).map(|n| n % 130) {
            let byte = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            let mut data: Vec<u8> = (0..len).map(byte).collect();
            super::parse_packets(&data);
            for family in [1u8, 2, 10, 16] {
                if data.len() > 2 {
                    data[..2].copy_from_slice(&[family, 0]);
                    super::parse_packets(&data);
                }
            }
        }
    }
}
