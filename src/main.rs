//! The program: reads the command line and the configuration, then runs the loop.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chouette_iot::agent::Mode;
use chouette_iot::cli::{self, Form, Run, Verb};
use chouette_iot::config::env_file::{self, ENV_FILE_BYTES_MAX};
use chouette_iot::config::file::SECRET_FILE_BYTES_MAX;
use chouette_iot::config::{Config, RedisTarget, Storage};
use chouette_iot::limits::RULES_FILE_BYTES_MAX;
use chouette_iot::runtime::event_loop::EventLoop;
use chouette_iot::runtime::status::client::{self, Question};
use chouette_iot::runtime::{self, log_output, resolver, setup, spool};
use simple_logger::SimpleLogger;

fn main() -> ExitCode {
    if resolver::answered_as_child() || spool::served_as_child() {
        return ExitCode::SUCCESS;
    }
    let status = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => carry_out(command.verb, command.env_file.as_deref()),
        Err(error) => fail(&error),
    };
    ExitCode::from(status)
}

fn carry_out(verb: Verb, env_file: Option<&Path>) -> u8 {
    match verb {
        Verb::Run(Run::Forever) => run(Mode::Forever, env_file),
        Verb::Run(Run::Once) => run(Mode::Once, env_file),
        Verb::Run(Run::Dry) => run(Mode::DryRun, env_file),
        Verb::Doctor(form) => doctor(form, env_file),
        Verb::Metrics(form) => metrics(form, env_file),
        Verb::Status { form, watch, alive } => {
            let question = Question { is_json: form == Form::Json, watches: watch, alive };
            status(question, env_file)
        }
        Verb::Help => print(&cli::help_text()),
        Verb::Version => print(&cli::version_text()),
    }
}

fn print(text: &str) -> u8 {
    // A reader that has seen enough, as `head`, is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    cli::EXIT_OK
}

fn fail(error: &dyn std::fmt::Display) -> u8 {
    let _ = writeln!(io::stderr(), "chouette-iot: {error}");
    cli::EXIT_USAGE
}

fn run(mode: Mode, env_file: Option<&Path>) -> u8 {
    let config = match read_config(mode, env_file) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    if let Err(error) = start_log(&config) {
        return fail(&error);
    }
    let parts = match setup::parts(&config, seed()) {
        Ok(parts) => parts,
        Err(error) => return fail(&error),
    };
    announce(&config, mode);
    let env_file = env_file.map(PathBuf::from);
    let mut reload = || reload(mode, env_file.as_deref());
    let ended = EventLoop::new(parts, mode, seed()).and_then(|mut event_loop| event_loop.run(&mut reload));
    ended.unwrap_or_else(|error| {
        log::error!("the agent cannot run: {error}");
        cli::EXIT_FAILURE
    })
}

fn status(question: Question, env_file: Option<&Path>) -> u8 {
    let path = read_env_file(env_file).and_then(|variables| {
        Config::status_socket(std::env::vars_os(), variables).map_err(|errors| errors.to_string())
    });
    match path {
        Ok(Some(path)) if client::run(&path, question) => cli::EXIT_OK,
        Ok(Some(_)) => cli::EXIT_FAILURE,
        Ok(None) => fail(&"STATUS_SOCKET=none: the agent tells nobody how it goes"),
        Err(error) => fail(&error),
    }
}

fn doctor(form: Form, env_file: Option<&Path>) -> u8 {
    // Without a key, and no other mistake, the rest can be tried.
    let mut config = read_config(Mode::Once, env_file);
    if config.is_err()
        && let Ok(keyless) = read_config(Mode::DryRun, env_file)
    {
        config = Ok(keyless);
    }
    match runtime::doctor::run(&config, env_file, form == Form::Json, seed()) {
        Ok(true) => cli::EXIT_OK,
        Ok(false) => cli::EXIT_FAILURE,
        Err(error) => {
            fail(&error);
            cli::EXIT_FAILURE
        }
    }
}

fn metrics(form: Form, env_file: Option<&Path>) -> u8 {
    let config = match read_config(Mode::DryRun, env_file) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    if let Err(error) = start_log(&config) {
        return fail(&error);
    }
    log::set_max_level(config.log_level.min(log::LevelFilter::Warn));
    for warning in &config.warnings {
        log::warn!("configuration: {warning}");
    }
    match runtime::metrics::tell(&config, seed(), form == Form::Json) {
        Ok(told) => {
            print(&told.text);
            if told.all_read { cli::EXIT_OK } else { cli::EXIT_FAILURE }
        }
        Err(error) => fail(&error),
    }
}

fn reload(mode: Mode, env_file: Option<&Path>) -> Option<setup::Parts> {
    let parts = read_config(mode, env_file).and_then(|config| {
        let parts = setup::parts(&config, seed()).map_err(|error| error.to_string())?;
        log::set_max_level(config.log_level);
        Ok((config, parts))
    });
    match parts {
        Ok((config, parts)) => {
            announce(&config, mode);
            Some(parts)
        }
        Err(error) => {
            log::error!("the configuration stays as it was: {error}");
            None
        }
    }
}

fn read_config(mode: Mode, env_file: Option<&Path>) -> Result<Config, String> {
    let variables = read_env_file(env_file)?;
    let config = match mode {
        Mode::DryRun => Config::for_dry_run(std::env::vars_os(), variables, &read_named),
        _ => Config::from_env_and_file(std::env::vars_os(), variables, &read_named),
    };
    config.map_err(|errors| errors.to_string())
}

fn read_env_file(path: Option<&Path>) -> Result<Vec<(String, String)>, String> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let failed = |error: &dyn std::fmt::Display| format!("--env-file {}: {error}", path.display());
    let text = read_text(path).map_err(|error| failed(&error))?;
    env_file::parse(&text).map_err(|error| failed(&error))
}

fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_bytes(path, ENV_FILE_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Reads a file that a variable names. Only a regular one: the loop cannot wait for somebody to write into a pipe.
fn read_named(path: &str) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    read_bytes(Path::new(path), SECRET_FILE_BYTES_MAX.max(RULES_FILE_BYTES_MAX))
}

/// Reads a file to its end, and no more than one byte beyond the bound.
fn read_bytes(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn start_log(config: &Config) -> io::Result<()> {
    // The logger lets everything pass, so that a reload can change the level.
    let mut logger = SimpleLogger::new().with_level(log::LevelFilter::Trace);
    for library in ["mio", "rustls", "ureq", "ureq_proto"] {
        logger = logger.with_module_level(library, log::LevelFilter::Warn);
    }
    log_output::start(logger)?;
    log::set_max_level(config.log_level);
    Ok(())
}

fn announce(config: &Config, mode: Mode) {
    for warning in &config.warnings {
        log::warn!("configuration: {warning}");
    }
    let queues = match config.storage {
        Storage::Redis => {
            let RedisTarget { address, db, .. } = &config.redis;
            format!("redis {address} database {db}")
        }
        Storage::Embedded if mode == Mode::DryRun => "queue in memory".to_owned(),
        Storage::Embedded => format!("queue in memory and {}", config.spool.path),
    };
    let plugins = match &config.collector_plugins[..] {
        [] => "no plugins".to_owned(),
        names => format!("plugins {}", names.join(", ")),
    };
    let rules = match config.rules.len() {
        0 => String::new(),
        rules => format!(", rules {rules}"),
    };
    log::info!(
        "chouette-iot {}: {queues}, metrics to {}, {plugins}{rules}",
        env!("CARGO_PKG_VERSION"),
        config.datadog_url
    );
}

/// Something no other agent has: the standard library's keys come from the kernel.
fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
