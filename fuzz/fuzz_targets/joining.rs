#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| oncegate_fuzz::run(oncegate_fuzz::Target::named("joining").expect("a target"), input));
