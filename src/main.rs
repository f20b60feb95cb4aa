//! The command line.
fn main() {
    if chouette_iot::runtime::resolver::answered_as_child() {
        std::process::exit(0);
    }
}
