/// Why a start failed, as far as the exit status of `coracle run` is concerned (the convention of `docker run`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The engine or its configuration is at fault: exit status 125.
    Engine,
    /// The program exists but cannot be executed (permission, format, architecture): exit status 126.
    NotExecutable,
    /// The program does not exist in the image: exit status 127.
    NotFound,
}

impl FailureClass {
    /// The exit status that stands for this failure.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Engine => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }
}
