use std::str::FromStr;

use super::Event;

/// One `NAME=VALUE` that an event must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    key: Key,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Event,
    Container,
    Image,
    Level,
    Type,
}

/// The text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no filter; write event=, container=, image=, level= or type= and a value")]
pub struct ParseFilterError(String);

impl FromStr for EventFilter {
    type Err = ParseFilterError;

    fn from_str(text: &str) -> Result<Self, ParseFilterError> {
        let error = || ParseFilterError(text.to_owned());
        let (key, value) = text.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or_else(error)?;
        let key = match key {
            "event" => Key::Event,
            "container" | "instance" => Key::Container,
            "image" => Key::Image,
            "level" => Key::Level,
            "type" => Key::Type,
            _ => return Err(error()),
        };
        Ok(Self { key, value: value.to_owned() })
    }
}

impl EventFilter {
    fn matches(&self, event: &Event) -> bool {
        let attribute = |name: &str| event.actor.attributes.get(name).map_or("", String::as_str);
        let value = self.value.as_str();
        match self.key {
            // `health_status` also means `health_status: healthy`, `exec_start` also `exec_start: sh`.
            Key::Event => event.action == value || event.action.split(':').next() == Some(value),
            Key::Container => {
                let id = &event.actor.id;
                attribute("name") == value || value.len() >= 4 && id.starts_with(value)
            }
            Key::Image => attribute("image") == value || attribute("image").split(':').next() == Some(value),
            Key::Level => attribute("level") == value,
            Key::Type => event.kind == value,
        }
    }
}

/// Docker's rule: one of those with the same name, and this for each name.
pub(super) fn all_match(filters: &[EventFilter], event: &Event) -> bool {
    filters.iter().all(|filter| filters.iter().any(|other| other.key == filter.key && other.matches(event)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Actor;
    use super::*;

    #[test]
    fn names_are_alternatives_and_keys_are_conditions() {
        let attributes = [("name", "web"), ("image", "nginx:1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let event = Event {
            kind: "container".into(),
            action: "health_status: healthy".into(),
            actor: Actor { id: "abcdef".into(), attributes: BTreeMap::from(attributes) },
            scope: "local".into(),
            time: 0,
            time_nano: 0,
        };
        let filters = |texts: &[&str]| -> Vec<EventFilter> { texts.iter().map(|t| t.parse().unwrap()).collect() };
        for good in
            [&[][..], &["event=die", "event=health_status"], &["container=web", "image=nginx"], &["container=abcd"]]
        {
            assert!(all_match(&filters(good), &event), "{good:?}");
        }
        for bad in [&["event=die"][..], &["container=web", "image=redis"], &["container=a"], &["type=image"]] {
            assert!(!all_match(&filters(bad), &event), "{bad:?}");
        }
        for bad in ["", "event", "event=", "colour=red"] {
            assert!(bad.parse::<EventFilter>().is_err(), "{bad}");
        }
    }
}
