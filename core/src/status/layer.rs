//! Errors of middleware that is made for any kind of service.

use std::error::Error;
use std::fmt::{self, Write};

use super::Status;

/// How far down its causes an error is looked into.
const DEPTH: usize = 8;

impl Status {
    /// What an error of a tower layer stands for, looking through its causes: a status that is in
    /// it, DEADLINE_EXCEEDED for the one of a timeout, RESOURCE_EXHAUSTED for that of a layer that
    /// sheds load. `None` for what is none of them.
    ///
    /// This crate does not know tower: the two are told by the names of their types, `Elapsed` and
    /// `Overloaded`, as their `Debug` has them. An error of your own with such a name is taken for
    /// one too.
    pub fn of_layer(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        for _ in 0..DEPTH {
            let error = next?;
            if let Some(status) = error.downcast_ref::<Self>() {
                return Some(status.clone());
            }
            match &*Name::of(error).0 {
                "Elapsed" => return Some(Self::deadline_exceeded(format!("a layer: {error}"))),
                "Overloaded" => {
                    return Some(Self::resource_exhausted(format!("a layer: {error}")));
                }
                _ => next = error.source(),
            }
        }
        None
    }
}

/// The identifier that a `Debug` output begins with, if it is a short one.
struct Name(String);

impl Name {
    const LONGEST: usize = "Overloaded".len();

    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut name = Self(String::new());
        // An error means that it has read enough.
        let _ = write!(name, "{error:?}");
        name
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if !char.is_alphanumeric() || self.0.len() > Self::LONGEST {
                return Err(fmt::Error);
            }
            self.0.push(char);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt;

    use crate::{Code, Status};

    #[derive(Debug)]
    struct Elapsed(());

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by Debug only")]
    struct Overloaded {
        p: (),
    }

    #[derive(Debug)]
    struct OverloadedByFar;

    #[derive(Debug)]
    struct Around(Box<dyn Error>);

    macro_rules! error {
        ($($name:ident)*) => {$(
            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("text")
                }
            }
        )*};
    }
    error!(Elapsed Overloaded OverloadedByFar Around);
    impl Error for Elapsed {}
    impl Error for Overloaded {}
    impl Error for OverloadedByFar {}
    impl Error for Around {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn known_errors_are_found_at_any_depth_and_others_are_not_guessed() {
        let code = |error: &(dyn Error + 'static)| Status::of_layer(error).map(|each| each.code());
        let around = |error: Box<dyn Error>| Around(Box::new(Around(error)));
        assert_eq!(code(&Elapsed(())), Some(Code::DeadlineExceeded));
        let overloaded = || Box::new(Overloaded { p: () });
        assert_eq!(code(&*overloaded()), Some(Code::ResourceExhausted));
        assert_eq!(code(&around(overloaded())), Some(Code::ResourceExhausted));
        let status = Status::not_found("x").with_details(vec![1]);
        let found = Status::of_layer(&around(Box::new(status))).unwrap();
        assert_eq!((found.code(), found.details()), (Code::NotFound, &[1][..]));
        assert_eq!(code(&OverloadedByFar), None);
        assert_eq!(code(&around(Box::new(OverloadedByFar))), None);
        let mut deep: Box<dyn Error> = Box::new(Elapsed(()));
        for _ in 0..100 {
            deep = Box::new(Around(deep));
        }
        assert_eq!(code(&*deep), None, "bounded");
    }
}
