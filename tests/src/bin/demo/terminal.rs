//! How the story looks: seconds in front, colours and a waiting line in a terminal, nothing wider than a window.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use understudy_tests::story::Narrator;

/// No line is longer than this: a window of 100 columns shows it whole.
const WIDTH: usize = 98;

/// Where the text of an event begins, after its seconds.
const EVENT_COLUMN: usize = 10;

/// The furthest to the right that the rest of a broken line begins.
const DEEPEST: usize = 50;

/// How often a waiting line is repeated where it can not be overwritten, in seconds.
const REPEAT_SECONDS: u64 = 10;

/// Prints as things happen, with the seconds since the start.
pub struct Terminal {
    begun: Instant,
    fancy: bool,
    waiting: bool,
    last_waited: u64,
}

impl Terminal {
    /// Begins to count the seconds.
    pub fn new() -> Self {
        let fancy = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            begun: Instant::now(),
            fancy,
            waiting: false,
            last_waited: 0,
        }
    }

    /// A text as it is, except that long lines are broken.
    pub fn text(&mut self, text: &str) {
        self.painted("", text);
    }

    fn painted(&mut self, code: &str, text: &str) {
        self.end_waiting();
        for line in text.lines().flat_map(wrapped) {
            println!("{}", self.paint(code, &line));
        }
        let _ = std::io::stdout().flush();
    }

    fn end_waiting(&mut self) {
        if self.waiting {
            print!("\r\x1b[2K");
            self.waiting = false;
        }
        self.last_waited = 0;
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.fancy && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Narrator for Terminal {
    fn act(&mut self, title: &str) {
        self.text("\n");
        self.painted("1;36", &format!("── {title}"));
    }

    fn event(&mut self, line: &str) {
        self.end_waiting();
        let code = if line.starts_with("read back") {
            "32"
        } else if line.contains(" is unhealthy") || line.contains("killed") {
            "31"
        } else {
            ""
        };
        let seconds = format!("{:>6.1} s  ", self.begun.elapsed().as_secs_f64());
        for (position, line) in wrapped(&format!("{seconds}{line}")).into_iter().enumerate() {
            // Seconds are ASCII: cutting them off again by bytes is safe.
            match line.split_at_checked(seconds.len()) {
                Some((front, rest)) if position == 0 => {
                    println!("{}{}", self.paint("2", front), self.paint(code, rest))
                }
                _ => println!("{}", self.paint(code, &line)),
            }
        }
        let _ = std::io::stdout().flush();
    }

    fn waiting(&mut self, for_what: &str, seconds: u64) {
        let line = format!("{:EVENT_COLUMN$}waiting for {for_what} … {seconds} s", "");
        if self.fancy {
            print!("\r\x1b[2K{}", self.paint("2", &line));
            let _ = std::io::stdout().flush();
            self.waiting = true;
        } else if seconds >= self.last_waited + REPEAT_SECONDS {
            println!("{line}");
            self.last_waited = seconds;
        }
    }

    fn show(&mut self, text: &str) {
        self.painted("2", text);
    }
}

/// A line in pieces that fit. Later pieces begin where its last column did: after the last two spaces in a row.
fn wrapped(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    let hang = hang_of(&characters);
    let mut pieces = Vec::new();
    let mut rest = characters.as_slice();
    let mut indent = 0;
    while indent + rest.len() > WIDTH {
        let room = WIDTH - indent;
        let (piece, after) = rest.split_at(cut(rest, room, if pieces.is_empty() { hang } else { 0 }));
        pieces.push(spaces(indent) + String::from_iter(piece).trim_end());
        let leading = after.iter().take_while(|character| **character == ' ').count();
        rest = after.get(leading..).unwrap_or_default();
        indent = hang;
    }
    if pieces.is_empty() || !rest.is_empty() {
        pieces.push(spaces(indent) + &String::from_iter(rest));
    }
    pieces
}

fn spaces(count: usize) -> String {
    " ".repeat(count)
}

fn hang_of(line: &[char]) -> usize {
    let indent = line.iter().take_while(|character| **character == ' ').count();
    let column =
        |position: &usize| matches!(line.get(position - 2..=*position), Some([' ', ' ', begin]) if *begin != ' ');
    let last = (2..line.len().min(DEEPEST + 1)).rev().find(column);
    last.unwrap_or(indent).min(DEEPEST)
}

// Where to cut so that at most `room` characters stay: after a space, else inside an ARN or JSON, else anywhere.
fn cut(line: &[char], room: usize, hang: usize) -> usize {
    let fits = |marks: &[char]| {
        (hang + 1..=room)
            .rev()
            .find(|end| line.get(end - 1).is_some_and(|character| marks.contains(character)))
    };
    // A space just beyond the room is as good: it is not printed.
    if line.get(room) == Some(&' ') {
        return room;
    }
    fits(&[' ']).or_else(|| fits(&[',', '/', ':'])).unwrap_or(room)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{WIDTH, wrapped};

    #[test]
    fn a_line_that_fits_stays_as_it_is() {
        for line in ["", "  short", &"x".repeat(WIDTH)] {
            assert_eq!(wrapped(line), [line]);
        }
    }

    #[test]
    fn a_long_line_goes_on_below_its_last_column() {
        let line = format!("    target_healthy  lets go  {}", "well ".repeat(40));
        let pieces = wrapped(line.trim_end());
        assert!(pieces.len() > 2, "{pieces:#?}");
        for piece in &pieces[1..] {
            assert!(piece.starts_with(&format!("{}well", " ".repeat(29))), "{piece}");
        }
        assert!(pieces.iter().all(|piece| piece.chars().count() <= WIDTH), "{pieces:#?}");
        assert_eq!(words(&pieces.concat()), words(&line));
    }

    #[test]
    fn an_arn_is_cut_where_it_is_made_of_parts() {
        let arn =
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/86a5263f2723c3cb/b4b1eb328457437e";
        let pieces = wrapped(&format!("      call    {arn}"));
        assert_eq!(pieces.len(), 2);
        assert!(pieces[0].ends_with(['/', ':']), "{pieces:#?}");
        let joined: String = pieces
            .iter()
            .map(|piece| piece.trim_start().trim_start_matches("call").trim())
            .collect();
        assert_eq!(joined, arn);
    }

    #[test]
    fn nothing_is_lost_of_what_can_not_be_cut_well() {
        let line = "→".repeat(3 * WIDTH);
        assert_eq!(wrapped(&line).concat(), line);
    }

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }
}
