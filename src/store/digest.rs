//! The digests of a body, computed while it streams by.

use aws_lc_rs::digest;
use md5::{Digest as _, Md5};

use super::checksum::{Algorithm, Checksum, Hasher};
use super::error::{Digest, Error};
use super::lane::{Batch, Lane, Work};

/// Which digests to compute besides MD5 and CRC64NVME, which every object has.
#[derive(Debug, Clone, Copy, Default)]
pub struct DigestPlan {
    /// The SHA-256 of the body, where the signature claims one.
    pub sha256: bool,
    pub checksum: Option<Algorithm>,
}

/// What the client says the digests are. Whatever is given must agree.
#[derive(Debug, Clone, Default)]
pub struct Announced {
    pub md5: Option<[u8; 16]>,
    pub sha256: Option<[u8; 32]>,
    pub checksum: Option<Checksum>,
}

/// The digests of a whole body.
#[derive(Debug, Clone)]
pub struct Digests {
    pub md5: [u8; 16],
    pub crc64nvme: u64,
    pub sha256: Option<[u8; 32]>,
    /// By the algorithm of the plan.
    pub checksum: Option<Checksum>,
}

/// Digests being computed. MD5, the slowest, has a half of its own, so that two cores can share the work.
pub struct Digester {
    md5: Md5,
    rest: Rest,
}

struct Rest {
    crc64nvme: Hasher,
    sha256: Option<digest::Context>,
    checksum: Option<Hasher>,
}

/// A digester at work on the blocking threads: a thread for MD5, one for the rest.
pub struct Lanes {
    md5: Lane<Md5Work>,
    rest: Lane<Rest>,
}

struct Md5Work(Md5);

impl Digester {
    pub fn new(plan: DigestPlan) -> Self {
        let checksum = plan.checksum.filter(|algorithm| *algorithm != Algorithm::Crc64Nvme).map(Hasher::new);
        let rest = Rest {
            crc64nvme: Hasher::new(Algorithm::Crc64Nvme),
            sha256: plan.sha256.then(|| digest::Context::new(&digest::SHA256)),
            checksum,
        };
        Self { md5: Md5::new(), rest }
    }

    /// Adds bytes on the calling thread: for small bodies only.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.rest.update(bytes);
    }

    /// Goes on on the blocking threads.
    pub fn into_lanes(self) -> Lanes {
        Lanes { md5: Lane::new(Md5Work(self.md5)), rest: Lane::new(self.rest) }
    }

    pub fn finish(self, plan: DigestPlan) -> Digests {
        let crc64nvme = self.rest.crc64nvme.finish();
        let number = crc64nvme.value.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte));
        let sha256 = self.rest.sha256.map(|sha| {
            let mut value = [0; 32];
            value.copy_from_slice(sha.finish().as_ref());
            value
        });
        let checksum = match self.rest.checksum {
            Some(hasher) => Some(hasher.finish()),
            None => plan.checksum.map(|_| crc64nvme),
        };
        Digests { md5: self.md5.finalize().into(), crc64nvme: number, sha256, checksum }
    }
}

impl Work for Md5Work {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl Work for Rest {
    fn update(&mut self, bytes: &[u8]) {
        self.crc64nvme.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
    }
}

impl Lanes {
    /// Adds bytes at the end. Never waits.
    pub fn push(&mut self, batch: Batch) {
        self.md5.push(batch.clone());
        self.rest.push(batch);
    }

    /// Waits for the threads. Fails only when the runtime is being torn down.
    pub async fn finish(self) -> Result<Digester, Error> {
        let (Md5Work(md5), rest) = tokio::try_join!(self.md5.finish(), self.rest.finish())?;
        Ok(Digester { md5, rest })
    }
}

impl Announced {
    /// Compares what was announced with what came. The order is S3's: the payload's hash is part of the signature.
    pub fn verify(&self, digests: &Digests) -> Result<(), Error> {
        if self.sha256.is_some() && self.sha256 != digests.sha256 {
            return Err(Error::Digest(Digest::Sha256));
        }
        if self.md5.is_some_and(|md5| md5 != digests.md5) {
            return Err(Error::Digest(Digest::Md5));
        }
        let Some(announced) = &self.checksum else { return Ok(()) };
        match &digests.checksum {
            Some(computed) if computed.same_value(announced) => Ok(()),
            _ => Err(Error::Digest(Digest::Checksum(announced.algorithm))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio::sync::Semaphore;

    use super::*;

    fn digests(plan: DigestPlan, bytes: &[u8]) -> Digests {
        let mut digester = Digester::new(plan);
        digester.update(bytes);
        digester.finish(plan)
    }

    #[tokio::test]
    async fn threads_compute_what_the_caller_would() {
        let plan = DigestPlan { sha256: true, checksum: Some(Algorithm::Sha1) };
        let here = digests(plan, b"hello world");
        let mut lanes = Digester::new(plan).into_lanes();
        for bytes in [&b"hello "[..], b"world"] {
            let room = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
            lanes.push(Batch { bytes: Bytes::from_static(bytes), room: Arc::new(room) });
        }
        let there = lanes.finish().await.unwrap().finish(plan);
        assert_eq!((here.md5, here.crc64nvme, here.sha256), (there.md5, there.crc64nvme, there.sha256));
        assert_eq!(here.checksum, there.checksum);
        assert_eq!(hex::encode(here.md5), "5eb63bbbe01eeed093cb22bb8f5acdc3");
    }

    #[test]
    fn whatever_is_announced_must_agree() {
        let plan = DigestPlan { sha256: true, checksum: Some(Algorithm::Crc64Nvme) };
        let digests = digests(plan, b"123456789");
        let right = Announced {
            md5: Some(digests.md5),
            sha256: digests.sha256,
            checksum: Some(Checksum::crc64nvme(0xae8b_1486_0a79_9888)),
        };
        right.verify(&digests).unwrap();
        let wrong = [
            Announced { md5: Some([0; 16]), ..right.clone() },
            Announced { sha256: Some([0; 32]), ..right.clone() },
            Announced { checksum: Some(Checksum::crc64nvme(1)), ..right },
        ];
        for announced in wrong {
            assert!(announced.verify(&digests).is_err());
        }
    }
}
