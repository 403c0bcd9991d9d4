//! `gt`: the process around [`gt::run`]. Only this file reads arguments, environment and working folder.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;

use gt::{Invocation, Process};

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    // gt itself starts shims, often, and they must be quick: skip all setup for them.
    if let Some(code) = gt_world::real::shim::call(args.get(1..).unwrap_or_default()) {
        return code;
    }
    let env: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    let process = match Process::real(env, std::env::current_dir(), std::env::current_exe()) {
        Ok(process) => process,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(gt::EXIT_INTERNAL);
        }
    };
    let invocation = Invocation {
        args,
        // Output may be long, so nothing filters colours out of it: gt omits them where they are not wanted.
        out: &mut std::io::stdout(),
        err: &mut anstream::AutoStream::auto(std::io::stderr()),
        terminal: std::io::stdout().is_terminal(),
    };
    ExitCode::from(gt::run(invocation, &process))
}
