//! The plugin `tegrastats`.

/// Turns without a line after which the program is started anew.
pub const SILENT_TURNS_MAX: u32 = 3;

/// Turns with other output alone after which that is an error: a banner or a warning may come first.
pub const RUBBISH_TURNS: u32 = 2;

/// Most forms of lines nobody has seen that are shown, one warning each.
pub const FORMS_SHOWN_MAX: usize = 32;

/// Most characters of such a line that are shown.
pub const SHOWN_CHARS_MAX: usize = 1_000;

/// Most temperature zones, rails or cores of one line; further ones are left out, and `odd` says so.
pub const ITEMS_MAX: usize = 64;

/// Most characters of the name of a zone or rail.
pub const NAME_CHARS_MAX: usize = 64;

/// Most characters that are kept of a form.
pub const FORM_CHARS_MAX: usize = 60;
