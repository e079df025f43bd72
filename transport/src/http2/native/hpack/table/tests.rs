use super::*;

/// The same table, told simply.
struct Model {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    max: usize,
}

impl Model {
    fn size(&self) -> usize {
        let text: usize = self.entries.iter().map(|(n, v)| n.len() + v.len()).sum();
        text + self.entries.len() * ENTRY_OCTETS
    }

    fn resize(&mut self, max: usize) {
        self.max = max;
        while self.size() > max {
            self.entries.pop();
        }
    }

    fn insert(&mut self, name: &[u8], value: &[u8]) {
        self.entries.insert(0, (name.to_vec(), value.to_vec()));
        self.resize(self.max);
    }
}

fn same(table: &Table, model: &Model) {
    assert_eq!(table.size(), model.size());
    assert_eq!(table.entries.len(), model.entries.len());
    for (index, (name, value)) in model.entries.iter().enumerate() {
        assert_eq!(table.get(index), Some((&name[..], &value[..])));
    }
    assert_eq!(table.get(model.entries.len()), None);
    assert!(table.text.len() <= 8_192, "twice the largest maximum");
}

#[test]
fn random_insertions_and_resizes_give_what_the_model_gives() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let first = *[0, 64, 300, 4_096].get(random.usize(..4)).unwrap();
        let mut table = Table::new(first);
        let mut model = Model {
            entries: Vec::new(),
            max: first,
        };
        let longest = 1 + random.usize(..first / 2 + 40);
        for _ in 0..800 {
            let mut text = || {
                let length = random.usize(..longest);
                (0..length).map(|_| random.u8(..)).collect::<Vec<u8>>()
            };
            let (name, value) = (text(), text());
            match random.u8(..100) {
                0 => {
                    let max = random.usize(..=4_096);
                    table.resize(max);
                    model.resize(max);
                }
                1 => {
                    table.insert(Name::Text(b""), b"");
                    model.insert(b"", b"");
                }
                2..50 if !model.entries.is_empty() => {
                    // Often the oldest, which goes first.
                    let last = model.entries.len() - 1;
                    let index = if random.bool() {
                        last
                    } else {
                        random.usize(..=last)
                    };
                    let name = model.entries.get(index).unwrap().0.clone();
                    table.insert(Name::Entry(index), &value);
                    model.insert(&name, &value);
                }
                _ => {
                    table.insert(Name::Text(&name), &value);
                    model.insert(&name, &value);
                }
            }
            same(&table, &model);
        }
    }
}

/// RFC 7541 §4.4.
#[test]
fn an_entry_that_is_larger_than_the_table_empties_it() {
    let mut table = Table::new(100);
    table.insert(Name::Text(b"name"), b"value");
    table.insert(Name::Text(b"name"), &[b'x'; 65]);
    assert_eq!((table.size(), table.get(0)), (0, None));
    table.insert(Name::Text(b"name"), &[b'x'; 64]);
    assert_eq!(table.size(), 100, "as large as the table still fits");
}

#[test]
fn a_name_is_kept_though_its_own_field_evicts_it() {
    let mut table = Table::new(100);
    table.insert(Name::Text(b"a-long-name"), b"1");
    table.insert(Name::Entry(0), &[b'2'; 50]);
    assert_eq!(table.get(0), Some((&b"a-long-name"[..], &[b'2'; 50][..])));
    assert_eq!(table.get(1), None);
}

#[test]
fn insertions_stop_allocating() {
    let mut table = Table::new(4_096);
    for round in 0..400 {
        let value = round.to_string();
        table.insert(Name::Text(b"grpc-timeout"), value.as_bytes());
    }
    let (before, place) = (table.memory(), table.text.as_ptr());
    for round in 0..100_000 {
        let value = round.to_string();
        table.insert(Name::Text(b"grpc-timeout"), value.as_bytes());
    }
    assert_eq!((table.memory(), table.text.as_ptr()), (before, place));
    assert!(before < 8 * 1024, "{before}");
}

#[test]
fn a_table_that_holds_nothing_has_no_memory() {
    let mut table = Table::new(4_096);
    assert_eq!(table.memory(), 0);
    table.insert(Name::Text(b"name"), b"value");
    table.resize(0);
    assert_eq!(table.memory(), 0);
    table.insert(Name::Text(b"name"), b"value");
    assert_eq!((table.memory(), table.size()), (0, 0));
}
