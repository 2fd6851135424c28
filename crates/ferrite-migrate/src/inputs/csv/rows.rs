//! Rows, one after the other, as the bytes of their columns.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::data_error;
use crate::error::MigrateError;
use crate::inputs::{Bytes, Place};

/// What some programs write in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Room for a row to begin with.
const ROOM: usize = 4096;
/// Columns of a row at most.
const COLUMNS_MAX: usize = 1 << 16;

/// The rows of a file.
pub struct Rows {
    place: Place,
    bytes: Bytes,
    reader: Reader,
    limit: usize,
    /// The columns of the row, one behind the other, and where each ends.
    data: Vec<u8>,
    ends: Vec<usize>,
    columns: usize,
    /// Where the row began.
    offset: u64,
    line: u64,
}

impl Rows {
    /// The rows at a place, each of at most `limit` bytes.
    ///
    /// # Errors
    /// A place that cannot be read.
    pub async fn open(place: &Place, delimiter: u8, limit: usize) -> Result<Self, MigrateError> {
        let mut bytes = Bytes::open(place).await?;
        if bytes.available().starts_with(BYTE_ORDER_MARK) {
            bytes.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self {
            place: place.clone(),
            bytes,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            limit,
            data: vec![0; ROOM],
            ends: vec![0; 64],
            columns: 0,
            offset: 0,
            line: 1,
        })
    }

    /// Reads the next row; `false` at the end.
    ///
    /// # Errors
    /// A place that breaks off; a row above the limit.
    pub async fn next(&mut self) -> Result<bool, MigrateError> {
        let (mut used, mut columns) = (0, 0);
        (self.offset, self.line) = (self.bytes.offset(), self.reader.line());
        loop {
            if self.bytes.available().is_empty() {
                // An empty input tells the parser that the end is here.
                let _ = self.bytes.fill().await?;
            }
            let data = self.data.get_mut(used..).unwrap_or_default();
            let ends = self.ends.get_mut(columns..).unwrap_or_default();
            let (result, read, written, found) =
                self.reader.read_record(self.bytes.available(), data, ends);
            self.bytes.consume(read);
            (used, columns) = (used + written, columns + found);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.data.len() >= self.limit => {
                    let why = format!("{TOO_LONG}, in column {}", columns + 1);
                    return Err(self.bad(&why).with_hint(format!(
                        "a row may have {} bytes: close its quotes, or raise --memory-limit",
                        self.limit
                    )));
                }
                ReadRecordResult::OutputFull => {
                    let room = (self.data.len() * 2).min(self.limit);
                    self.data.resize(room, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() >= COLUMNS_MAX => {
                    return Err(self.bad("the row has more than 65,536 columns"));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    self.columns = columns;
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// The columns of the row that was read.
    pub fn row(&self) -> Vec<Option<&[u8]>> {
        let mut start = 0;
        let ends = self.ends.get(..self.columns).unwrap_or_default();
        ends.iter()
            .map(|end| {
                let column = self.data.get(start..*end).unwrap_or_default();
                start = *end;
                Some(column)
            })
            .collect()
    }

    /// Reads the names of the columns; `None` for an empty file.
    ///
    /// # Errors
    /// As [`Rows::next`].
    pub async fn header(&mut self) -> Result<Option<Vec<Vec<u8>>>, MigrateError> {
        match self.next().await? {
            true => Ok(Some(self.row().into_iter().flatten().map(<[u8]>::to_vec).collect())),
            false => Ok(Some(Vec::new())),
        }
    }

    /// What is wrong with the row that was read.
    pub fn bad(&self, cause: &str) -> MigrateError {
        let (line, offset) = (self.line, self.offset);
        let doing = format!("reading the row in line {line} (byte {offset}) of {}", self.place);
        data_error(doing, cause)
            .with_hint("what was read before it is on the target; see docs/csv.md")
    }
}

/// What is said of a row above the limit.
const TOO_LONG: &str = "the row is longer than the memory limit allows";
