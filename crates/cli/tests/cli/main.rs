//! The program as its users meet it: arguments in; standard output, standard error and the exit status out.

mod arguments;
mod build;
mod farms;
mod help;
mod look;
mod signals;
mod space;
