//! `-march=native` as the flags it means on the machine that builds.
//!
//! A key that holds the word `native` would not decide the package's bytes: they depend on the processor. So the compiler of the binfarm root
//! is asked for the flags, and these take the place of the word: in the key, and in what the build sees.
//!
//! The driver of GCC turns `native` into options of the compiler proper, which `-###` shows. Two rules of its are kept: what `native` adds
//! comes before all other `-m` options, wherever the word stands, so that those win; and `-march=native` brings its own `-mtune` only where
//! nobody names one. The compiler is therefore asked with all `-m` options of a value at once.

use serde::{Deserialize, Serialize};

use crate::Plan;

/// The options that may be `native`, by their names.
const NAMES: [&str; 3] = ["-march", "-mcpu", "-mtune"];

/// One question to a compiler of the root, and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Native {
    /// The compiler's command line, such as `gcc`; empty if there is none.
    pub compiler: String,
    /// The `-m` options of a variable's value, `native` among them, in their order.
    pub options: Vec<String>,
    /// How the driver calls the compiler proper without any option: what it adds by itself.
    pub plain: Vec<String>,
    /// How it does so with `options`.
    pub answer: Vec<String>,
    /// Why there is no answer; empty if there is one.
    pub error: String,
    /// Index into [`Plan::packages`] and name of each variable that has these options.
    pub used: Vec<(usize, String)>,
}

impl Native {
    /// The options that stand for `native`, without those that the value has anyway.
    ///
    /// # Errors
    /// Why there are none, in words: no compiler, another one than GCC, a processor that the compiler cannot tell. It is the input's or the
    /// environment's fault, and either way the flags have to be written out.
    pub fn explicit(&self) -> Result<Vec<String>, String> {
        if !self.error.is_empty() {
            return Err(self.error.clone());
        }
        if self.answer.iter().any(|word| word == "-cc1") {
            return Err(format!(
                "{} is clang, which has no options for all that it finds",
                self.compiler
            ));
        }
        let plain = target_options(&self.plain);
        let explicit: Vec<String> = target_options(&self.answer)
            .into_iter()
            .filter(|option| !self.options.contains(option))
            .filter(|option| match NAMES.contains(&name(option)) {
                true => self.decides(name(option)),
                false => !plain.contains(option),
            })
            .collect();
        let names: Vec<&str> = explicit.iter().map(|option| name(option)).collect();
        let is_told = if self.options.iter().any(|option| option == "-march=native") {
            names.contains(&"-march") || names.contains(&"-mcpu")
        } else {
            names.iter().any(|name| NAMES.contains(name))
        };
        if !is_told || self.answer.iter().any(|word| is_native(word)) {
            return Err(format!("{} does not know this processor", self.compiler));
        }
        Ok(explicit)
    }

    /// One line for people: what was asked, the names it stands for, and how many flags there are besides. `None` if there is no answer.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let explicit = self.explicit().ok()?;
        let asked: Vec<&str> = self
            .options
            .iter()
            .filter(|option| is_native(option))
            .map(String::as_str)
            .collect();
        let (names, rest): (Vec<&str>, Vec<&str>) = explicit
            .iter()
            .map(String::as_str)
            .partition(|option| NAMES.contains(&name(option)));
        let more = match rest.len() {
            0 => String::new(),
            1 => " and 1 more flag".to_owned(),
            count => format!(" and {count} more flags"),
        };
        Some(format!(
            "{} is {}{more}, says {}",
            asked.join(" "),
            names.join(" "),
            self.compiler
        ))
    }

    /// Whether an `-march`, `-mcpu` or `-mtune` of the answer comes from `native`, and not from the compiler's defaults: `-mtune=native` alone
    /// says nothing of the architecture, the other two speak for all.
    fn decides(&self, name: &str) -> bool {
        let mut asked = self.options.iter().filter(|option| is_native(option));
        asked.any(|option| !option.starts_with("-mtune=") || name == "-mtune")
    }
}

/// Puts the explicit flags into the plan, wherever a compiler named them. The rest stays, for [`unsound`](crate::unsound) to find.
pub(crate) fn make_explicit(plan: &mut Plan) {
    for native in &plan.native {
        let Ok(explicit) = native.explicit() else { continue };
        for (index, variable) in &native.used {
            let package = &mut plan.packages[*index];
            if let Some(value) = package.environment.get_mut(variable) {
                *value = replaced(value, &explicit);
                package.explicit.insert(variable.clone());
            }
        }
    }
}

/// A value with these options in place of `native`, before all other `-m` options.
fn replaced(value: &str, explicit: &[String]) -> String {
    let words: Vec<&str> = value.split_whitespace().collect();
    let first = words.iter().position(|word| word.starts_with("-m")).unwrap_or_default();
    let (before, after) = words.split_at(first);
    let explicit = explicit.iter().map(String::as_str);
    let rest = after.iter().copied().filter(|word| !is_native(word));
    let all: Vec<&str> = before.iter().copied().chain(explicit).chain(rest).collect();
    all.join(" ")
}

/// Whether a word is one of the three options with the value `native`.
fn is_native(word: &str) -> bool {
    word.ends_with("=native") && NAMES.contains(&name(word))
}

/// An option without its value.
fn name(option: &str) -> &str {
    option.split('=').next().unwrap_or(option)
}

/// The words that say what to compile for: `-m…`, and parameters, which are made one word. Ebuilds take flags one by one.
fn target_options(words: &[String]) -> Vec<String> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--param" {
            options.extend(words.next().map(|value| format!("--param={value}")));
        } else if word.starts_with("-m") || word.starts_with("--param=") {
            options.push(word.clone());
        }
    }
    options
}
