//! Options that several commands share, each group parsed and then put into a configuration.
//!
//! Parsing finds what is wrong with one option; [`configure`] finds what is wrong between them. Both happen before anything connects.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use ferrite_migrate::{
    Address, Config, ConfigBuilder, Endpoint, Input, JobStore, KeyType, MemcachedFlags, TlsOptions,
};

use crate::state_dir;
use crate::term::color::ColorChoice;
use crate::term::error::Failure;
use crate::term::units::parse_size;

/// Where the keys come from.
#[derive(clap::Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// Address of the source. In the environment the password is out of sight of `ps`
    #[arg(short, long, required = true, value_name = "URL")]
    #[arg(env = "FERRITE_SOURCE", hide_env_values = true)]
    source: Option<String>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    source_tls_ca: Option<PathBuf>,
    /// Show this certificate (PEM) to the source
    #[arg(long, value_name = "FILE", requires = "source_tls_key")]
    source_tls_cert: Option<PathBuf>,
    /// The private key (PEM) of that certificate
    #[arg(long, value_name = "FILE", requires = "source_tls_cert")]
    source_tls_key: Option<PathBuf>,
    /// Expect this name in the certificate of the source, not the host of the address
    #[arg(long, value_name = "NAME")]
    source_tls_server_name: Option<String>,
    /// Accept any certificate of the source: encrypted, but with whom is not checked
    #[arg(long, conflicts_with = "source_tls_ca")]
    source_insecure: bool,
}

/// Where the keys go.
#[derive(clap::Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Address of the target
    #[arg(short, long, required = true, value_name = "URL")]
    #[arg(env = "FERRITE_TARGET", hide_env_values = true)]
    target: Option<String>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    target_tls_ca: Option<PathBuf>,
    /// Show this certificate (PEM) to the target
    #[arg(long, value_name = "FILE", requires = "target_tls_key")]
    target_tls_cert: Option<PathBuf>,
    /// The private key (PEM) of that certificate
    #[arg(long, value_name = "FILE", requires = "target_tls_cert")]
    target_tls_key: Option<PathBuf>,
    /// Expect this name in the certificate of the target, not the host of the address
    #[arg(long, value_name = "NAME")]
    target_tls_server_name: Option<String>,
    /// Accept any certificate of the target: encrypted, but with whom is not checked
    #[arg(long, conflicts_with = "target_tls_ca")]
    target_insecure: bool,
}

/// What a source is asked that is a Memcached.
#[derive(clap::Args)]
#[command(next_help_heading = "Memcached")]
pub struct MemcachedArgs {
    /// What becomes of the flags that clients of Memcached keep with a value [default: drop]
    #[arg(long, value_name = "HOW", value_enum)]
    memcached_flags: Option<FlagsArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FlagsArg {
    /// The value becomes a string, the flags are let go and counted
    Drop,
    /// The value becomes a string, and a second one, NAME:flags, holds the flags
    Suffix,
    /// The key becomes a hash with the fields `value` and `flags`
    Hash,
    /// A key with flags is left out and reported
    Strict,
}

impl MemcachedArgs {
    /// Puts what was given into a configuration.
    pub fn apply(&self, config: ConfigBuilder) -> ConfigBuilder {
        let flags = self.memcached_flags.map(|flags| match flags {
            FlagsArg::Drop => MemcachedFlags::Drop,
            FlagsArg::Suffix => MemcachedFlags::Suffix,
            FlagsArg::Hash => MemcachedFlags::Hash,
            FlagsArg::Strict => MemcachedFlags::Strict,
        });
        flags.into_iter().fold(config, ConfigBuilder::memcached_flags)
    }
}

/// Which keys.
#[derive(clap::Args)]
#[command(next_help_heading = "Keys")]
pub struct KeyArgs {
    /// Only keys whose name matches this glob pattern; repeat it for more
    #[arg(short, long, value_name = "PATTERN")]
    filter: Vec<OsString>,
    /// Leave out keys whose name matches this glob pattern; repeat it for more
    #[arg(short, long, value_name = "PATTERN")]
    exclude: Vec<OsString>,
    /// Only keys of this type; repeat it for more
    #[arg(long = "type", value_name = "TYPE", value_parser = type_names())]
    types: Vec<String>,
}

/// How much at once.
#[derive(clap::Args)]
#[command(next_help_heading = "Resources")]
pub struct ResourceArgs {
    /// Workers, each with a connection of its own and 4 MiB of the memory limit
    #[arg(short, long, value_name = "N", default_value_t = 4)]
    parallel: usize,
    /// Keys that travel together
    #[arg(short, long, value_name = "KEYS", default_value_t = 1000)]
    batch_size: usize,
    /// Upper bound for the memory of this process, such as 128MiB, 1gb (1024³) or 1g (1000³)
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_size)]
    memory_limit: u64,
}

/// Where migrations are that outlive their process.
#[derive(clap::Args)]
#[command(next_help_heading = "State")]
pub struct StateArgs {
    /// Directory of the migrations; by default $XDG_STATE_HOME/ferrite-migrate, and without that
    /// ~/.local/state/ferrite-migrate
    #[arg(long, value_name = "DIR", env = "FERRITE_STATE_DIR", hide_env_values = true)]
    state_dir: Option<PathBuf>,
}

/// What is said, and how.
#[derive(clap::Args, Clone, Copy)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write events, status and report to stdout as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Say more: every check, and what the engine logs (RUST_LOG chooses finer)
    #[arg(short, long)]
    pub verbose: bool,
    /// When to use colors
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
}

const KEY_TYPES: [KeyType; 6] =
    [KeyType::String, KeyType::List, KeyType::Set, KeyType::Zset, KeyType::Hash, KeyType::Stream];

fn type_names() -> PossibleValuesParser {
    PossibleValuesParser::new(KEY_TYPES.map(KeyType::name))
}

impl KeyArgs {
    /// Whether all keys are meant.
    pub fn is_everything(&self) -> bool {
        self.filter.is_empty() && self.exclude.is_empty() && self.types.is_empty()
    }

    fn select(&self, mut config: ConfigBuilder) -> ConfigBuilder {
        for pattern in &self.filter {
            config = config.include_pattern(pattern.as_encoded_bytes());
        }
        for pattern in &self.exclude {
            config = config.exclude_pattern(pattern.as_encoded_bytes());
        }
        let is_wanted = |key_type: &KeyType| self.types.iter().any(|name| name == key_type.name());
        KEY_TYPES.into_iter().filter(is_wanted).fold(config, ConfigBuilder::key_type)
    }
}

impl ResourceArgs {
    /// Workers.
    pub fn parallel(&self) -> usize {
        self.parallel
    }
}

impl StateArgs {
    /// The migrations.
    ///
    /// # Errors
    /// An environment that does not say where they are.
    pub fn store(&self) -> Result<JobStore, Failure> {
        state_dir::resolve(self.state_dir.as_deref()).map(JobStore::at)
    }
}

impl SourceArgs {
    /// The file that the source is, if it is none of the addresses but a file that is there, or
    /// `-` for standard input.
    pub fn file(&self) -> Option<PathBuf> {
        let source = self.source.as_deref()?;
        let is_file = source == "-" || (!source.contains("://") && Path::new(source).is_file());
        is_file.then(|| PathBuf::from(source))
    }

    /// The source alone.
    ///
    /// # Errors
    /// An address that cannot be used, or TLS options for one without TLS.
    pub fn endpoint(self) -> Result<Endpoint, Failure> {
        let tls = self.tls();
        let address = self.source.unwrap_or_default().parse::<Address>();
        let address = address
            .map_err(|error| Failure::usage("the address of the source", error.to_string()))?;
        let endpoint = Endpoint { address, tls };
        check_tls("source", &endpoint)?;
        Ok(endpoint)
    }

    /// Puts what was given into a configuration, over what is there.
    fn apply(self, mut config: ConfigBuilder) -> ConfigBuilder {
        let tls = self.tls();
        if tls != TlsOptions::default() {
            config = config.source_tls(tls);
        }
        self.source.into_iter().fold(config, ConfigBuilder::source)
    }

    fn tls(&self) -> TlsOptions {
        TlsOptions {
            ca: self.source_tls_ca.clone(),
            cert: self.source_tls_cert.clone(),
            key: self.source_tls_key.clone(),
            server_name: self.source_tls_server_name.clone(),
            insecure: self.source_insecure,
        }
    }
}

impl TargetArgs {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.target.is_some()
    }

    /// The address that was given, and how TLS is spoken with it.
    pub fn given(&self) -> Option<(&str, TlsOptions)> {
        self.target.as_deref().map(|target| (target, self.tls()))
    }

    /// Puts what was given into a configuration, over what is there.
    fn apply(self, mut config: ConfigBuilder) -> ConfigBuilder {
        let tls = self.tls();
        if tls != TlsOptions::default() {
            config = config.target_tls(tls);
        }
        self.target.into_iter().fold(config, ConfigBuilder::target)
    }

    fn tls(&self) -> TlsOptions {
        TlsOptions {
            ca: self.target_tls_ca.clone(),
            cert: self.target_tls_cert.clone(),
            key: self.target_tls_key.clone(),
            server_name: self.target_tls_server_name.clone(),
            insecure: self.target_insecure,
        }
    }
}

/// The configuration of what all commands share, completed by `rest` with what one has alone.
///
/// # Errors
/// Options that do not fit each other, or a value out of its range.
pub fn configure(
    source: SourceArgs,
    target: TargetArgs,
    keys: &KeyArgs,
    resources: &ResourceArgs,
    rest: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
) -> Result<Config, Failure> {
    let config = Config::builder()
        .parallel(resources.parallel)
        .batch_size(resources.batch_size)
        .memory_limit(resources.memory_limit);
    complete(rest(keys.select(config)), source, target)
}

/// The configuration of what writes to no server. Its target is the source, and is not written to.
///
/// # Errors
/// As [`configure`].
pub fn configure_source(
    source: SourceArgs,
    keys: &KeyArgs,
    resources: &ResourceArgs,
) -> Result<Config, Failure> {
    let (url, tls) = (source.source.clone(), source.tls());
    let config = Config::builder()
        .parallel(resources.parallel)
        .batch_size(resources.batch_size)
        .memory_limit(resources.memory_limit);
    let config = source.apply(keys.select(config)).target_tls(tls);
    let config = url.into_iter().fold(config, ConfigBuilder::target).build()?;
    if let Some(source) = config.source.server() {
        check_tls("source", source)?;
    }
    Ok(config)
}

/// The configuration that `config` becomes with these ends, or with its own where none is given.
///
/// # Errors
/// As [`configure`].
pub fn complete(
    config: ConfigBuilder,
    source: SourceArgs,
    target: TargetArgs,
) -> Result<Config, Failure> {
    let config = target.apply(source.apply(config)).build()?;
    if let Some(source) = config.source.server() {
        check_tls("source", source)?;
    }
    check_tls("target", &config.target)?;
    Ok(config)
}

/// The configuration of what looks at a source, and at a target where one is given; whether one is.
///
/// # Errors
/// As [`configure`].
pub fn configure_look(
    source: SourceArgs,
    target: TargetArgs,
    rest: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
) -> Result<(Config, bool), Failure> {
    let has_target = target.is_given();
    let config = rest(Config::builder());
    // A configuration has a target; where none is given, nobody asks for it.
    let config = if has_target { config } else { config.target("redis://none.invalid") };
    Ok((complete(config, source, target)?, has_target))
}

/// The configuration of what reads no server, completed by `rest` with what a command has alone.
///
/// # Errors
/// As [`configure`].
pub fn configure_input(
    input: Input,
    target: TargetArgs,
    keys: &KeyArgs,
    resources: &ResourceArgs,
    rest: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
) -> Result<Config, Failure> {
    let config = Config::builder()
        .input(input)
        .parallel(resources.parallel)
        .batch_size(resources.batch_size)
        .memory_limit(resources.memory_limit);
    let config = target.apply(rest(keys.select(config))).build()?;
    check_tls("target", &config.target)?;
    Ok(config)
}

/// TLS options for an address without TLS would be ignored: refuse them.
fn check_tls(name: &str, end: &Endpoint) -> Result<(), Failure> {
    if end.tls == TlsOptions::default() || end.address.is_tls() {
        return Ok(());
    }
    let doing = format!("the options of the {name}");
    let cause = format!("TLS options are given, but {} is an address without TLS", end.address);
    let with_tls = end.address.clone().with_tls(true);
    Err(Failure::usage(doing, cause).with_hint(format!("--{name} {with_tls}")))
}
