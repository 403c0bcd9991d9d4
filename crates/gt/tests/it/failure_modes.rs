//! How systems of this kind fail their users, by number, and that this one does not.

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
