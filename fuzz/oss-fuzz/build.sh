#!/bin/bash -eu
cd "$SRC/oncegate/fuzz"
cargo fuzz build -O --no-default-features --features libfuzzer,server
cargo run --quiet --bin replay -- --write corpus
for file in fuzz_targets/*.rs; do
    target=$(basename -s .rs "$file")
    cp "target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip -qj "$OUT/${target}_seed_corpus.zip" "corpus/$target"/*
    [[ ! -s corpus/$target.dict ]] || cp "corpus/$target.dict" "$OUT/"
done
