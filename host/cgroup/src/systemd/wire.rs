//! Messages of D-Bus (dbus.freedesktop.org, "Message Protocol"), as far as talking to systemd needs them: little-endian, with
//! the types of unit properties.

use std::io;

/// A method's or a property's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Bool(bool),
    U64(u64),
    U32s(Vec<u32>),
    Bytes(Vec<u8>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Text(_) => "s",
            Self::Bool(_) => "b",
            Self::U64(_) => "t",
            Self::U32s(_) => "au",
            Self::Bytes(_) => "ay",
        }
    }
}

/// A unit's properties, `a(sv)`.
pub(super) type Properties = Vec<(&'static str, Value)>;

/// The body of a message under construction. Alignment counts from its beginning, which is aligned itself.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: Vec<u8>,
    signature: String,
}

impl Body {
    pub(super) fn text(mut self, text: &str) -> Self {
        put_text(&mut self.bytes, text);
        self.signature.push('s');
        self
    }

    pub(super) fn bool(mut self, value: bool) -> Self {
        put_u32(&mut self.bytes, u32::from(value));
        self.signature.push('b');
        self
    }

    pub(super) fn properties(mut self, properties: &Properties) -> Self {
        put_array(&mut self.bytes, 8, |out| {
            for (name, value) in properties {
                align(out, 8);
                put_text(out, name);
                put_variant(out, value);
            }
        });
        self.signature.push_str("a(sv)");
        self
    }

    /// The auxiliary units of `StartTransientUnit`, of which there are none.
    pub(super) fn no_units(mut self) -> Self {
        put_array(&mut self.bytes, 8, |_| {});
        self.signature.push_str("a(sa(sv))");
        self
    }
}

/// Who is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) name: &'a str,
}

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

const FIELD_PATH: u8 = 1;
const FIELD_INTERFACE: u8 = 2;
const FIELD_MEMBER: u8 = 3;
const FIELD_ERROR: u8 = 4;
const FIELD_REPLY: u8 = 5;
const FIELD_DESTINATION: u8 = 6;
const FIELD_SIGNATURE: u8 = 8;

/// A method call.
pub(super) fn call(serial: u32, method: Method<'_>, body: &Body) -> Vec<u8> {
    let mut out = vec![b'l', METHOD_CALL, 0, 1];
    put_u32(&mut out, body.bytes.len() as u32);
    put_u32(&mut out, serial);
    put_array(&mut out, 8, |out| {
        let fields = [
            (FIELD_PATH, "o", method.path),
            (FIELD_INTERFACE, "s", method.interface),
            (FIELD_MEMBER, "s", method.name),
            (FIELD_DESTINATION, "s", method.destination),
        ];
        for (field, kind, text) in fields {
            align(out, 8);
            out.push(field);
            put_signature(out, kind);
            put_text(out, text);
        }
        if !body.signature.is_empty() {
            align(out, 8);
            out.push(FIELD_SIGNATURE);
            put_signature(out, "g");
            put_signature(out, &body.signature);
        }
    });
    align(&mut out, 8);
    out.extend_from_slice(&body.bytes);
    out
}

fn align(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    align(out, 4);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u32(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn put_signature(out: &mut Vec<u8>, signature: &str) {
    out.push(signature.len() as u8);
    out.extend_from_slice(signature.as_bytes());
    out.push(0);
}

/// The length does not count the padding before the first element.
fn put_array(out: &mut Vec<u8>, alignment: usize, elements: impl FnOnce(&mut Vec<u8>)) {
    put_u32(out, 0);
    let at = out.len();
    align(out, alignment);
    let begin = out.len();
    elements(out);
    let length = (out.len() - begin) as u32;
    out[at - 4..at].copy_from_slice(&length.to_le_bytes());
}

fn put_variant(out: &mut Vec<u8>, value: &Value) {
    put_signature(out, value.signature());
    match value {
        Value::Text(text) => put_text(out, text),
        Value::Bool(value) => put_u32(out, u32::from(*value)),
        Value::U64(value) => {
            align(out, 8);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::U32s(values) => put_array(out, 4, |out| values.iter().for_each(|value| put_u32(out, *value))),
        Value::Bytes(bytes) => put_array(out, 1, |out| out.extend_from_slice(bytes)),
    }
}

/// What a message of the other side is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    Reply { to: u32, body: Vec<u8> },
    Failure { to: u32, name: String, body: Vec<u8> },
    Signal { member: String, body: Vec<u8> },
    Other,
}

/// The length of the fixed part of a header, which holds the length of the rest.
pub(super) const FIXED: usize = 16;

/// No answer that is waited for is longer.
const LONGEST: usize = 1 << 20;

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// How long the message is that begins so.
pub(super) fn length(fixed: &[u8; FIXED]) -> io::Result<usize> {
    if fixed[0] != b'l' {
        return Err(invalid("a D-Bus message is not little-endian"));
    }
    let mut reader = Reader { bytes: fixed, at: 4 };
    let (body, _serial, fields) = (reader.u32(), reader.u32(), reader.u32());
    let (Some(body), Some(fields)) = (body, fields) else { return Err(invalid("a D-Bus message is cut off")) };
    let length = FIXED
        .checked_add(fields as usize)
        .map(|end| end.next_multiple_of(8))
        .and_then(|end| end.checked_add(body as usize));
    length.filter(|length| *length <= LONGEST).ok_or_else(|| invalid("a D-Bus message is too long"))
}

/// Reads a whole message.
pub(super) fn decode(message: &[u8]) -> io::Result<Incoming> {
    let cut_off = || invalid("a D-Bus message is cut off");
    let kind = *message.get(1).ok_or_else(cut_off)?;
    let mut reader = Reader { bytes: message, at: 12 };
    let fields = reader.u32().ok_or_else(cut_off)? as usize;
    let end = FIXED.checked_add(fields).filter(|end| *end <= message.len()).ok_or_else(cut_off)?;
    let body = message.get(end.next_multiple_of(8)..).ok_or_else(cut_off)?.to_vec();
    let (mut to, mut member, mut name) = (None, None, None);
    while reader.at < end {
        reader.align(8);
        let field = reader.u8().ok_or_else(cut_off)?;
        let signature = reader.signature().ok_or_else(cut_off)?;
        match (field, signature) {
            (FIELD_REPLY, "u") => to = reader.u32(),
            (FIELD_MEMBER, "s") => member = reader.text(),
            (FIELD_ERROR, "s") => name = reader.text(),
            (_, "s" | "o") => drop(reader.text().ok_or_else(cut_off)?),
            (_, "u") => drop(reader.u32().ok_or_else(cut_off)?),
            (_, "g") => drop(reader.signature().ok_or_else(cut_off)?),
            _ => return Err(invalid("a D-Bus message has an unknown header field")),
        }
    }
    Ok(match (kind, to, member, name) {
        (METHOD_RETURN, Some(to), ..) => Incoming::Reply { to, body },
        (ERROR, Some(to), _, Some(name)) => Incoming::Failure { to, name, body },
        (SIGNAL, _, Some(member), _) => Incoming::Signal { member, body },
        _ => Incoming::Other,
    })
}

/// Reads values one after another; `None` past the end or if they are not what was asked for.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.align(4);
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// A string or an object's path.
    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let text = String::from_utf8(self.take(length)?.to_vec()).ok()?;
        self.u8().filter(|end| *end == 0)?;
        Some(text)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.u8()?);
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.u8().filter(|end| *end == 0)?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_laid_out_as_the_specification_says() {
        let method = Method { destination: "a.b", path: "/p", interface: "i.f", name: "M" };
        let bytes = call(7, method, &Body::default().text("xy").bool(true));
        assert_eq!(bytes[..4], [b'l', 1, 0, 1]);
        assert_eq!(bytes[4..12], [12, 0, 0, 0, 7, 0, 0, 0], "2 + 1 bytes of text with its length, padding, a boolean");
        assert_eq!(bytes[16..24], [1, 1, b'o', 0, 2, 0, 0, 0]);
        let fixed: &[u8; FIXED] = bytes[..FIXED].try_into().unwrap();
        assert_eq!(length(fixed).unwrap(), bytes.len());
        assert_eq!(bytes[bytes.len() - 12..], [2, 0, 0, 0, b'x', b'y', 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn foreign_bytes_are_errors() {
        let method = Method { destination: "a.b", path: "/p", interface: "i.f", name: "M" };
        let whole = call(7, method, &Body::default().properties(&vec![("N", Value::U64(5))]).no_units());
        for end in 0..whole.len() {
            let _ = decode(&whole[..end]);
            let mut changed = whole.clone();
            changed[end] ^= 0xff;
            let _ = decode(&changed);
        }
        assert!(length(&[b'l', 1, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255]).is_err());
        assert_eq!(decode(&whole).unwrap(), Incoming::Other, "a call is not for us");
    }
}
