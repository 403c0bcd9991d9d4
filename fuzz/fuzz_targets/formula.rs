#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(gt_model::fuzz::formula(data)));
