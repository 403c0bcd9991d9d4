//! Known failure modes of such systems, by number, and tests that this system does not have them.

mod f01;
mod f02;
mod f03;
mod f04;
mod f07;
mod f08;
mod f09;
mod f10;
mod f11;
mod f12;
mod f13;
mod f14;
mod f16;
mod f17;
mod f18;
mod f20;
mod f22;
mod f23;
mod f24;
mod f25;
