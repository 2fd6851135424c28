//! How early the kernel ends the process where memory is short (`oom-score-adj`).

use std::path::Path;

use parking_lot::Mutex;

use crate::config::Config;

/// Where the kernel keeps it.
const SCORE: &str = "/proc/self/oom_score_adj";

/// What the kernel takes.
const RANGE: std::ops::RangeInclusive<i64> = -1000..=1000;

/// `oom-score-adj absolute` among its values; 0 leaves the score alone, and what is between is
/// relative.
const ABSOLUTE: i64 = 2;

/// The score that the process had before it was changed; nothing while it is as it was.
#[derive(Debug, Default)]
pub struct OomScore {
    before: Mutex<Option<i64>>,
}

impl OomScore {
    /// Gives the process the score that is configured, or the one it had before.
    ///
    /// # Errors
    /// What is wrong, where the system does not let it.
    pub fn apply(&self, config: &Config) -> Result<(), String> {
        self.apply_to(Path::new(SCORE), config).map_err(|error| {
            tracing::warn!("{SCORE}: {error}");
            "Failed to set current oom_score_adj. Check server logs.".to_owned()
        })
    }

    fn apply_to(&self, path: &Path, config: &Config) -> std::io::Result<()> {
        let mut before = self.before.lock();
        let how = config.process.oom_score_adj.get();
        if how == 0 {
            if let Some(score) = *before {
                std::fs::write(path, score.to_string())?;
                *before = None;
            }
            return Ok(());
        }
        let had = match *before {
            Some(score) => score,
            None => {
                let text = std::fs::read_to_string(path)?;
                text.trim().parse().map_err(std::io::Error::other)?
            }
        };
        // The first is for a primary; there are neither replicas nor processes in the background.
        let [score, ..] = config.process.oom_score_adj_values.get().0;
        let score = if how == ABSOLUTE { score } else { score + had };
        std::fs::write(path, score.clamp(*RANGE.start(), *RANGE.end()).to_string())?;
        *before = Some(had);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::OomScore;
    use crate::config::Config;

    #[test]
    fn the_score_is_set_and_restored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("score");
        std::fs::write(&path, "22\n").unwrap();
        let (config, score) = (Config::new(Path::new("/")), OomScore::default());
        for (how, values, expected) in [
            ("no", "9 0 0", "22\n"),
            ("yes", "9 0 0", "31"),
            ("absolute", "9 0 0", "9"),
            ("relative", "10 0 0", "32"),
            ("relative", "2000 0 0", "1000"),
            ("no", "2000 0 0", "22"),
        ] {
            let values: Vec<&str> = values.split(' ').collect();
            config.put("oom-score-adj-values", &values).unwrap();
            config.put("oom-score-adj", &[how]).unwrap();
            score.apply_to(&path, &config).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "{how} {values:?}");
        }
        let missing = folder.path().join("missing");
        config.put("oom-score-adj", &["yes"]).unwrap();
        assert!(score.apply_to(&missing, &config).is_err());
    }
}
