//! CONFIG GET.

use ferrite_commands::matches_glob;

use super::Config;
use super::setting::Setting;

impl Config {
    /// Name and value of every parameter that one of the patterns means, each name once.
    pub fn matching<P: AsRef<[u8]>>(&self, patterns: &[P]) -> Vec<(&'static str, Vec<u8>)> {
        let names = self.settings().into_iter().flat_map(names);
        let wanted = names.filter(|(name, setting)| {
            let hidden = setting.spec().hidden;
            patterns.iter().any(|pattern| means(pattern.as_ref(), name, hidden))
        });
        wanted.map(|(name, setting)| (name, setting.text())).collect()
    }
}

/// Both names of a parameter.
fn names(setting: &dyn Setting) -> impl Iterator<Item = (&'static str, &dyn Setting)> {
    let spec = setting.spec();
    let names = [spec.name, spec.alias].into_iter().filter(|name| !name.is_empty());
    names.map(move |name| (name, setting))
}

fn means(pattern: &[u8], name: &str, hidden: bool) -> bool {
    match hidden {
        true => name.as_bytes().eq_ignore_ascii_case(pattern),
        false => matches_glob(&pattern.to_ascii_lowercase(), name.as_bytes()),
    }
}
