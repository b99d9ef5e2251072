/// A command as a shell's user would write it, for people to read: arguments that are empty or hold anything but plain
/// characters are quoted, and what could confuse a terminal is replaced.
pub fn command_line(args: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    let quoted = |arg: &String| {
        let shown: String = arg.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        if !shown.is_empty() && shown.chars().all(plain) {
            shown
        } else {
            format!("'{}'", shown.replace('\'', r"'\''"))
        }
    };
    args.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn what_needs_quotes_has_them() {
        let args = ["redis-server", "--save", "", "a b", "it's", "\u{1b}[2J"].map(str::to_owned);
        assert_eq!(command_line(&args), "redis-server --save '' 'a b' 'it'\\''s' '\u{fffd}[2J'");
    }
}
