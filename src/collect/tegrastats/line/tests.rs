//! Each form of each field, and lines that are cut or no lines at all.

use super::*;

fn zones(text: &str) -> Vec<String> {
    let zone = |(name, celsius): &(String, Number)| format!("{name} {}", celsius.as_f64());
    Line::parse(text).zones.items.iter().map(zone).collect()
}

fn rails(text: &str) -> Vec<String> {
    let line = Line::parse(text);
    assert_eq!(line.odd, []);
    line.rails.items.iter().map(|(name, power_mw)| format!("{name} {power_mw}")).collect()
}

/// Cores as `number load MHz`.
fn cores(text: &str) -> Vec<String> {
    let mhz = |engine: &Engine| engine.frequency_hz.map(|hz| hz / 1_000_000);
    let core = |(number, engine): &(usize, Engine)| {
        format!("{number} {:?} {:?}", engine.load_percent.map(Number::as_f64), mhz(engine))
    };
    Line::parse(text).cores.iter().map(core).collect()
}

/// The GPU as load and MHz.
fn gpu(text: &str) -> (Option<f64>, Option<u64>) {
    let line = Line::parse(text);
    assert!(line.odd.is_empty() && line.seen.iter().eq(&[Group::Gpu]), "{text}");
    (line.gpu.load_percent.map(Number::as_f64), line.gpu.frequency_hz.map(|hz| hz / 1_000_000))
}

/// The forms nobody knows, with the words of their groups.
fn odd(text: &str) -> Vec<String> {
    let odd = |(group, form): &(Group, String)| format!("{}: {form}", group.word());
    Line::parse(text).odd.iter().map(odd).collect()
}

#[test]
fn memory_and_swap_space() {
    let line = Line::parse("RAM 10/40MB (lfb 3x4MB)   SWAP 1/5MB (cached 1MB) IRAM 0/252kB(lfb 252kB)");
    assert_eq!(line.ram, Some(Memory { used_bytes: 10 << 20, free_bytes: 30 << 20 }));
    assert_eq!(line.swap, Some(Memory { used_bytes: 1 << 20, free_bytes: 4 << 20 }));
    assert!(line.odd.is_empty() && line.rails.items.is_empty());
}

#[test]
fn temperatures_with_the_names_as_printed() {
    let text = "PLL@34C thermal@36.25C cpu@51.5C/60.5C Tboard@-4.5C PMIC@100C PMIC@50C CV0@-256C GPU@0C";
    assert_eq!(zones(text), ["PLL 34", "thermal 36.25", "cpu 51.5", "Tboard -4.5", "GPU 0"]);
    assert_eq!(zones("a@1C a@2C a_2@3C a@4C"), ["a 1", "a_2 2", "a_2_2 3", "a_3 4"]);
}

#[test]
fn rails_in_every_form() {
    assert_eq!(rails("VDD_IN 250/260 POM_5V_CPU 0/0 CPU 31/32"), ["VDD_IN 250", "POM_5V_CPU 0", "CPU 31"]);
    assert_eq!(
        rails("VDD_IN 25mW/26mW vdd_x 1mW/2mW/3mW VDD_SOC 7mW/8"),
        ["VDD_IN 25", "vdd_x 1", "VDD_SOC 7"]
    );
    assert_eq!(rails("NC 0mW/0mW A 1mW/1mW NC 2mW/2mW A 3mW/3mW"), ["A 1", "A_2 3"]);
    assert_eq!(rails("IRAM 0/252kB(lfb 252kB) page 1/2 APE 150 MTS fg 0% bg 1% a 1/2/3"), [""; 0]);
}

#[test]
fn rails_of_the_same_names_as_other_fields() {
    let text = "CPU [5%@100,off] GPU@30C CPU@31C GPU 0/0 CPU 311/312 SOC 622/622 CV 0/0";
    assert_eq!(rails(text), ["GPU 0", "CPU 311", "SOC 622", "CV 0"]);
    assert_eq!(zones(text), ["GPU 30", "CPU 31"]);
    assert_eq!(cores(text), ["0 Some(5.0) Some(100)"]);
}

#[test]
fn graphics_in_every_form() {
    assert_eq!(gpu("GR3D_FREQ 4%@76 APE 25"), (Some(4.0), Some(76)));
    assert_eq!(gpu("GR3D_FREQ 62%"), (Some(62.0), None));
    assert_eq!(gpu("GR3D_FREQ 1%@[114]"), (Some(1.0), Some(114)));
    assert_eq!(gpu("GR3D_FREQ 1%@[114, 306] VIC off"), (Some(1.0), Some(306)));
    assert_eq!(gpu("GR3D_FREQ @[494,495,494] NVENC0_FREQ @665"), (None, Some(495)));
    assert_eq!(gpu("GR3D_FREQ 3%@611 GR3D2_FREQ 0%@0"), (Some(3.0), Some(611)));
    assert_eq!(gpu("GR3D_FREQ 0% GR3D2_FREQ 8%@114"), (Some(8.0), Some(114)));
    assert_eq!(gpu("NVDEC 192 GR3D 0%@998 EDP limit 1734"), (Some(0.0), Some(998)));
    assert_eq!(gpu("GR3D_FREQ off VIC off"), (None, None));
}

#[test]
fn memory_controller_and_engines_without_names_of_ours() {
    let emc = |text| Line::parse(text).emc;
    assert_eq!(Some(emc("EMC_FREQ 7%@408 VIC 36%@115 NVENC 79%@166")), value::engine("7%@408"));
    assert_eq!(Some(emc("EMC_FREQ 7%")), value::engine("7%"));
    assert_eq!(Some(emc("EMC 7%@1600 AVP 1%@115")), value::engine("7%@1600"));
    assert!(odd("NVENC      off  OFA           off NVDLA0_FREQ @1600 VIC_FREQ 115 PVA0_FREQ off").is_empty());
}

#[test]
fn cores_in_every_form() {
    assert_eq!(cores("CPU [2%@345,off,1%@346]"), ["0 Some(2.0) Some(345)", "2 Some(1.0) Some(346)"]);
    assert_eq!(cores("CPU [2%@345, off, 1%@346]"), ["0 Some(2.0) Some(345)", "2 Some(1.0) Some(346)"]);
    assert_eq!(cores("cpu [2%,off,9%]@1734"), ["0 Some(2.0) Some(1734)", "2 Some(9.0) Some(1734)"]);
    assert_eq!(cores("CPU [2%,9%]"), ["0 Some(2.0) None", "1 Some(9.0) None"]);
    assert!(Line::parse("CPU [off,off]").is_known());
}

#[test]
fn forms_nobody_has_seen_cost_themselves() {
    let text = "RAM 1/2GB CPU [5%@100,x,7%@9] EMC_FREQ 400 GR3D_FREQ 5@9 a@12F b@13C VDD_IN 2.5W/3W VIN 9mW";
    assert_eq!(
        odd(text),
        [
            "ram: RAM 0/0GB",
            "cpu: core x",
            "emc: EMC_FREQ 0",
            "gpu: GR3D_FREQ 0@0",
            "temp: a@0F",
            "power: VDD_IN 0.0W/0W",
            "power: VIN 0mW",
        ]
    );
    assert_eq!(cores(text), ["0 Some(5.0) Some(100)", "2 Some(7.0) Some(9)"]);
    assert_eq!(zones(text), ["b 13"]);
    assert_eq!(odd("EMC_FREQ GR3D_FREQ 1%"), ["emc: EMC_FREQ GR0D_FREQ"]);
    assert_eq!(gpu("GR3D_FREQ 1%"), (Some(1.0), None), "a value that is missing takes no other");
    assert_eq!(odd("CPU [5%@1]x"), ["cpu: CPU [0%@0]x"]);
}

#[test]
fn a_line_that_is_cut_keeps_what_is_whole() {
    let whole = "RAM 9/39MB CPU [1%@102,2%@103] EMC_FREQ 7% CPU@37.5C VDD_IN 25/26";
    let zone_end = whole.find("C VDD").unwrap() + 1;
    for end in 0..whole.len() {
        let line = Line::parse(&whole[..end]);
        assert_eq!(line.ram.is_some(), end >= 10, "{end}");
        assert!(line.cores.iter().all(|core| Line::parse(whole).cores.contains(core)), "{end}");
        assert_eq!(line.zones.items.len(), usize::from(end >= zone_end), "{end}");
    }
    assert_eq!(cores("CPU [1%@102,2%@1"), ["0 Some(1.0) Some(102)"]);
}

#[test]
fn what_is_no_line_says_nothing() {
    for text in
        ["", "   ", "tegrastats: no such thing", "root@jetson:~$ ls", "[1/2] 50% done @ 3", "\0\u{1b}[0m"]
    {
        assert_eq!(Line::parse(text), Line::default(), "{text}");
    }
}

#[test]
fn items_are_bounded() {
    let many = |item: &str| format!("{item} ").repeat(ITEMS_MAX + 5);
    assert_eq!(zones(&many("a@1C")).len(), ITEMS_MAX);
    assert_eq!(odd(&many("a@1C")), ["temp: more than 64 zones"]);
    assert_eq!(odd(&many("VDD 1/1")), ["power: more than 64 rails"]);
    assert_eq!(odd(&format!("CPU [{}1%]", "1%,".repeat(ITEMS_MAX))), ["cpu: more than 64 cores"]);
    assert!(form(&"x".repeat(1000)).len() <= FORM_CHARS_MAX);
    let long = "x".repeat(NAME_CHARS_MAX + 1);
    assert_eq!(Line::parse(&format!("{long}@1C {long} 1mW/1mW")), Line::default());
}
