//! Places for what an item only refers to: collections, long strings, long keys.
//!
//! Chunks of 32 places, named by 32 bits. A chunk that becomes empty is given back.

const CHUNK_BITS: u32 = 5;
const CHUNK: usize = 1 << CHUNK_BITS;

#[derive(Debug)]
pub(super) struct Arena<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks that have a free place.
    partial: Vec<u32>,
    /// Numbers of chunks that were given back.
    spare: Vec<u32>,
}

#[derive(Debug)]
struct Chunk<T> {
    places: Box<[Option<T>]>,
    /// Free places, as bits.
    free: u32,
    /// Index in the list of partial chunks, if there.
    partial: u32,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), partial: Vec::new(), spare: Vec::new() }
    }

    /// Bytes of the places, without what the things there hold on the heap.
    pub(super) fn memory(&self) -> usize {
        let chunks = self.chunks.len() - self.spare.len();
        chunks * CHUNK * size_of::<Option<T>>() + self.chunks.capacity() * size_of::<Chunk<T>>()
    }

    pub(super) fn get(&self, at: u32) -> &T {
        let place = &self.chunks[(at >> CHUNK_BITS) as usize].places[at as usize % CHUNK];
        place.as_ref().unwrap_or_else(|| unreachable!("an item refers to an empty place"))
    }

    pub(super) fn get_mut(&mut self, at: u32) -> &mut T {
        let place = &mut self.chunks[(at >> CHUNK_BITS) as usize].places[at as usize % CHUNK];
        place.as_mut().unwrap_or_else(|| unreachable!("an item refers to an empty place"))
    }

    pub(super) fn add(&mut self, thing: T) -> u32 {
        let number = match self.partial.last() {
            Some(&number) => number,
            None => self.add_chunk(),
        };
        let chunk = &mut self.chunks[number as usize];
        let place = chunk.free.trailing_zeros();
        chunk.free &= chunk.free - 1;
        chunk.places[place as usize] = Some(thing);
        if chunk.free == 0 {
            self.leave_partial(number);
        }
        number << CHUNK_BITS | place
    }

    pub(super) fn take(&mut self, at: u32) -> T {
        let number = at >> CHUNK_BITS;
        let chunk = &mut self.chunks[number as usize];
        let thing = chunk.places[at as usize % CHUNK].take();
        if chunk.free == 0 {
            chunk.partial = self.partial.len() as u32;
            self.partial.push(number);
        }
        chunk.free |= 1 << (at as usize % CHUNK);
        if chunk.free == u32::MAX {
            chunk.places = Box::default();
            self.leave_partial(number);
            self.spare.push(number);
        }
        thing.unwrap_or_else(|| unreachable!("an item refers to an empty place"))
    }

    fn add_chunk(&mut self) -> u32 {
        let chunk = Chunk {
            places: (0..CHUNK).map(|_| None).collect(),
            free: u32::MAX,
            partial: self.partial.len() as u32,
        };
        let number = match self.spare.pop() {
            Some(number) => {
                self.chunks[number as usize] = chunk;
                number
            }
            None => {
                assert!(
                    self.chunks.len() < 1 << (32 - CHUNK_BITS),
                    "the table has reached its limit"
                );
                self.chunks.push(chunk);
                (self.chunks.len() - 1) as u32
            }
        };
        self.partial.push(number);
        number
    }

    fn leave_partial(&mut self, number: u32) {
        let index = self.chunks[number as usize].partial as usize;
        self.partial.swap_remove(index);
        if let Some(&moved) = self.partial.get(index) {
            self.chunks[moved as usize].partial = index as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_reused_and_chunks_given_back() {
        let mut arena = Arena::new();
        let places: Vec<_> = (0..1000).map(|number: u32| arena.add(number)).collect();
        for (number, &at) in places.iter().enumerate() {
            assert_eq!(*arena.get(at), number as u32);
        }
        let full = arena.memory();
        for &at in places.iter().step_by(2) {
            assert_eq!(arena.take(at) % 2, 0);
        }
        assert_eq!(arena.memory(), full, "no chunk is empty yet");
        for number in 0..500 {
            arena.add(number * 2);
        }
        assert_eq!(arena.memory(), full, "free places are used first");
        for at in 0..1024 {
            if arena.chunks[at / CHUNK].places.get(at % CHUNK).is_some_and(Option::is_some) {
                arena.take(at as u32);
            }
        }
        assert_eq!(arena.spare.len(), arena.chunks.len());
        assert_eq!(arena.partial.len(), 0);
    }
}
