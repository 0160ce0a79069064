//! One line per check; the first that fails ends the run.

use std::fmt::Debug;

use a2a::A2AError;

pub struct Checks {
    name: &'static str,
    binding: String,
    count: usize,
}

impl Checks {
    pub fn of(name: &'static str) -> Self {
        Self { name, binding: String::new(), count: 0 }
    }

    pub fn speaking(&mut self, binding: &str) {
        self.binding = format!(", {binding}");
    }

    pub fn that(&mut self, what: &str, is_so: bool, seen: &dyn Debug) {
        self.count += 1;
        println!("{} {}{}: {what}", if is_so { "ok  " } else { "FAIL" }, self.name, self.binding);
        if !is_so {
            println!("{seen:?}");
            std::process::exit(1);
        }
    }

    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, seen: T, expected: T) {
        self.that(what, seen == expected, &seen);
    }

    pub fn refused<T: Debug>(&mut self, what: &str, result: Result<T, A2AError>, code: i32) {
        let is_meant = result.as_ref().is_err_and(|error| error.code == code);
        self.that(what, is_meant, &result);
    }

    pub fn done(&self) {
        println!("{}: {} checks passed", self.name, self.count);
    }
}
