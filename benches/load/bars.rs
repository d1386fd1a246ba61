//! What is asked of the figures: against the peer, against fixed numbers, against the machine.

use super::lab::Place;
use super::machine::Machine;
use super::report::Figure;

/// A demand on one row.
pub enum Bar {
    /// So many times the peer's operations a second, in the same run.
    TimesPeer(&'static str, f64),
    /// At most so many microseconds of the server's processor time an operation.
    Cpu(&'static str, f64),
    /// At most so many milliseconds for half of the operations.
    Median(&'static str, f64),
    /// At most so many times the median of another row.
    TimesRow(&'static str, &'static str, f64),
    /// At least this share of the smaller of one core's MD5 and a synced write.
    ShareOfStream(&'static str, f64),
    /// At least this share of nginx's bytes per second of processor time.
    ShareOfNginx(&'static str, f64),
    /// At least this share of nginx's operations per second of processor time.
    OperationsOfNginx(&'static str, f64),
    /// At most so many MiB resident.
    Peak(&'static str, f64),
}

use Bar::{Cpu, Median, OperationsOfNginx, Peak, ShareOfNginx, ShareOfStream, TimesPeer, TimesRow};

pub const BARS: &[Bar] = &[
    TimesPeer("PUT 4 KiB x32", 4.0),
    Cpu("PUT 4 KiB x32", 130.0),
    TimesPeer("GET 4 KiB x32", 6.0),
    Cpu("GET 4 KiB x32", 50.0),
    TimesPeer("HEAD 4 KiB x32", 4.0),
    Cpu("HEAD 4 KiB x32", 40.0),
    TimesPeer("PUT 64 KiB x32", 3.0),
    TimesPeer("PUT 16 MiB x4", 3.0),
    TimesPeer("GET 16 MiB x4", 1.2),
    ShareOfNginx("GET 16 MiB x4", 0.65),
    OperationsOfNginx("website GET 16 KiB x32", 0.5),
    OperationsOfNginx("website 304 x32", 0.5),
    ShareOfStream("PUT 64 MiB x1", 0.85),
    TimesPeer("LIST of 10,000 x4", 8.0),
    Median("LIST of 10,000 x1", 2.0),
    Median("LIST of 1,000,000 x1", 2.0),
    TimesRow("LIST of 1,000,000 x1", "LIST of 10,000 x1", 1.2),
    TimesRow("LIST after 900,000 deletes x1", "LIST of 1,000,000 x1", 2.0),
    TimesRow("COPY 1 GiB x1", "COPY 1 MiB x1", 1.2),
    TimesRow("RENAME 1 GiB x1", "RENAME 1 MiB x1", 1.2),
    TimesRow("Complete 16 x 64 MiB", "Complete 16 x 5 MiB", 1.2),
    Peak("PUT 64 MiB x64, once each", 256.0),
];

/// A bar held against the figures.
pub struct Verdict {
    pub row: &'static str,
    pub asked: String,
    pub measured: f64,
    pub met: bool,
}

impl Bar {
    /// Judges, where everything that is compared was measured.
    pub fn judge(&self, machine: &Machine, figures: &[Figure]) -> Option<Verdict> {
        let find = |row: &str, server: &str| {
            let mut found = figures.iter().filter(|figure| figure.row == row && figure.place.server() == server);
            found.next().map(|figure| &figure.measured)
        };
        let ours = |row: &str| find(row, Place::Brim.server());
        let (row, asked, measured, met) = match *self {
            TimesPeer(row, factor) => {
                let ratio = ours(row)?.per_second() / find(row, Place::SeaweedFs.server())?.per_second();
                (row, format!("{factor} x SeaweedFS"), ratio, ratio >= factor)
            }
            Cpu(row, most) => {
                let micros = ours(row)?.server_cpu_each().as_secs_f64() * 1e6;
                (row, format!("at most {most} us of CPU"), micros, micros <= most)
            }
            Median(row, most) => {
                let millis = ours(row)?.p50.as_secs_f64() * 1e3;
                (row, format!("at most {most} ms"), millis, millis <= most)
            }
            TimesRow(row, other, most) => {
                let ratio = ours(row)?.p50.as_secs_f64() / ours(other)?.p50.as_secs_f64();
                (row, format!("at most {most} x {other}"), ratio, ratio <= most)
            }
            ShareOfStream(row, least) => {
                let share = ours(row)?.megabytes_per_second() / machine.stream();
                (row, format!("{least} of MD5 or synced write"), share, share >= least)
            }
            ShareOfNginx(row, least) => {
                let share =
                    ours(row)?.bytes_per_cpu_second() / find(row, Place::Nginx.server())?.bytes_per_cpu_second();
                (row, format!("{least} of nginx per CPU-second"), share, share >= least)
            }
            OperationsOfNginx(row, least) => {
                // Time an operation, so the other way round.
                let share = find(row, Place::Nginx.server())?.server_cpu_each().as_secs_f64()
                    / ours(row)?.server_cpu_each().as_secs_f64();
                (row, format!("{least} of nginx's per CPU-second"), share, share >= least)
            }
            Peak(row, most) => {
                let peak = ours(row)?.peak as f64 / f64::from(1 << 20);
                (row, format!("under {most} MiB resident"), peak, peak < most)
            }
        };
        Some(Verdict { row, asked, measured, met })
    }
}
