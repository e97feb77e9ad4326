//! The program as its users meet it: arguments in; standard output, standard error and the exit status out.

mod arguments;
mod help;
mod space;
