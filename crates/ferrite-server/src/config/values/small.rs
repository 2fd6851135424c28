//! Small lists of numbers, and the server to follow.

use super::super::scalar::integer;
use super::super::setting::{Origin, Structure};

/// `latency-tracking-info-percentiles`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Structure for Percentiles {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        if matches!(words, [only] if only.is_empty()) {
            return Ok(Self::default());
        }
        let percentile = |word: &Vec<u8>| -> Result<f64, String> {
            let text = std::str::from_utf8(word).unwrap_or_default();
            let number: f64 = text
                .parse()
                .map_err(|_| "Invalid latency-tracking-info-percentiles parameters".to_owned())?;
            if !(0.0..=100.0).contains(&number) {
                return Err("latency-tracking-info-percentiles parameters should sit between \
                            [0.0,100.0]"
                    .to_owned());
            }
            Ok(number)
        };
        Ok(Self(words.iter().map(percentile).collect::<Result<_, _>>()?))
    }

    fn text(&self) -> Vec<u8> {
        self.0.iter().map(f64::to_string).collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        if self.0.is_empty() { vec![b"\"\"".to_vec()] } else { vec![self.text()] }
    }
}

/// `oom-score-adj-values`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OomScores(pub [i64; 3]);

impl Structure for OomScores {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        let words: &[Vec<u8>; 3] = words.try_into().map_err(|_| "wrong number of arguments")?;
        let mut scores = [0; 3];
        for (score, word) in scores.iter_mut().zip(words) {
            *score = integer(word)
                .filter(|score| (-2000..=2000).contains(score))
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
        }
        Ok(Self(scores))
    }

    fn text(&self) -> Vec<u8> {
        self.0.map(|score| score.to_string()).join(" ").into_bytes()
    }
}

/// `replicaof`: the primary to follow, if any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicaOf(pub Option<(String, u16)>);

impl Structure for ReplicaOf {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        match words {
            [only] if only.is_empty() => Ok(Self(None)),
            [host, port] => {
                let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
                if text(host).eq_ignore_ascii_case("no") && text(port).eq_ignore_ascii_case("one") {
                    return Ok(Self(None));
                }
                let port = integer(port).and_then(|port| u16::try_from(port).ok());
                Ok(Self(Some((text(host), port.ok_or("Invalid master port")?))))
            }
            _ => Err("wrong number of arguments".to_owned()),
        }
    }

    fn text(&self) -> Vec<u8> {
        match &self.0 {
            Some((host, port)) => format!("{host} {port}").into_bytes(),
            None => Vec::new(),
        }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|_| self.text()).collect()
    }
}
