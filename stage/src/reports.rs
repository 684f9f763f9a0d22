//! Taps on the interceptor chain: what the `webrtc` crate knows and does not hand out.
//!
//! [`RtcpTap`], next to the wire, shows what reports and requests come in. [`MediaTap`], next to the application, takes every RTP packet
//! with its arrival time into our own bounded queue (the crate's own holds 256 packets and then drops silently) and
//! sends the feedback that the session asks for.

use crate::peer::Sink;
use crate::round_trip;
use crate::session::{RtpPacket, SenderReport};
use crate::simulcast::Simulcast;
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::extended_report::{DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport as RtcpSenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Before every interceptor of the crate on the way in, after every one on the way out.
pub(crate) const WIRE_SLOT: usize = 10;
/// After every interceptor of the crate on the way in (its last is the jitter buffer, 13,000).
pub(crate) const MEDIA_SLOT: usize = 14_000;

/// Shows every RTCP packet that comes in, and passes everything on.
pub(crate) struct RtcpTap<F> {
    see: F,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl<F: FnMut(&dyn rtc::rtcp::Packet, Instant)> RtcpTap<F> {
    /// `see` gets each packet with its arrival.
    pub(crate) fn new(see: F) -> Self {
        Self { see, read: VecDeque::new(), write: VecDeque::new() }
    }
}

/// What a server looks for: sender reports.
pub(crate) fn sender_report(packet: &dyn rtc::rtcp::Packet) -> Option<SenderReport> {
    let report = packet.as_any().downcast_ref::<RtcpSenderReport>()?;
    Some(SenderReport { ssrc: report.ssrc, ntp: report.ntp_time, rtp: report.rtp_time })
}

impl<F: FnMut(&dyn rtc::rtcp::Packet, Instant)> Protocol<TaggedPacket, TaggedPacket, ()> for RtcpTap<F> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            packets.iter().for_each(|packet| (self.see)(&**packet, message.now));
        }
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

/// The sender's SSRC may be anything where nothing is sent (RFC 4585 section 6.1).
const SENDER_SSRC: u32 = 1;

/// What answers a reference time of ours: its middle 32 bits, and for how long the peer has had it in 65,536ths of a second (RFC 3611 section 4.5).
pub(crate) fn reference_answer(packet: &dyn rtc::rtcp::Packet) -> Option<(u32, u32)> {
    let report = packet.as_any().downcast_ref::<ExtendedReport>()?;
    let blocks = report.reports.iter().filter_map(|block| block.as_any().downcast_ref::<DLRRReportBlock>());
    let answer = blocks.flat_map(|block| &block.reports).find(|answer| answer.ssrc == SENDER_SSRC)?;
    Some((answer.last_rr, answer.dlrr))
}

/// SSRCs that may name a layer in a connection's life: each of its layers, and what repairs it, begins anew a few times at most. The crate keeps a stream,
/// with reports of its own each second, for every one that it has ever seen.
const NAMED_SSRCS: usize = 32;

/// Takes media out of the chain, puts feedback into it.
pub(crate) struct MediaTap {
    sink: Sink,
    /// The picture's layers, where it has several.
    simulcast: Option<Simulcast>,
    /// SSRCs that have named a layer.
    named: Vec<u32>,
    /// When the peer was last sent a reference time.
    referred: Option<Instant>,
    /// Read at each packet: without packets there is nothing to repair.
    feedback: mpsc::Receiver<Feedback>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl MediaTap {
    pub(crate) fn new(sink: Sink, simulcast: Option<Simulcast>, feedback: mpsc::Receiver<Feedback>) -> Self {
        Self {
            sink,
            simulcast,
            named: Vec::new(),
            referred: None,
            feedback,
            read: VecDeque::new(),
            write: VecDeque::new(),
        }
    }

    fn send(&mut self, now: Instant, packet: Box<dyn rtc::rtcp::Packet>) {
        let (transport, message) = (TransportContext::default(), AttributedPacket::new(Packet::Rtcp(vec![packet])));
        self.write.push_back(TaggedPacket { now, transport, message });
    }

    /// The layer that a packet is of, or repairs, where it says so: senders do until they know that it has been understood.
    fn layer(&mut self, header: &rtc::rtp::Header) -> Option<usize> {
        let simulcast = self.simulcast.as_ref()?;
        let ids = [Some(simulcast.rid_extension), simulcast.repaired_rid_extension];
        let layer = ids.into_iter().flatten().find_map(|id| simulcast.layer(&header.get_extension(id)?))?;
        if !self.named.contains(&header.ssrc) {
            if self.named.len() >= NAMED_SSRCS {
                self.sink.failed();
                return None;
            }
            self.named.push(header.ssrc);
        }
        Some(layer)
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for MediaTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if self.referred.is_none_or(|last| message.now >= last + round_trip::INTERVAL) {
            self.referred = Some(message.now);
            self.send(message.now, reference(self.sink.since_epoch(message.now)));
        }
        while let Ok(feedback) = self.feedback.try_recv() {
            self.send(message.now, feedback.into_rtcp());
        }
        match message.message.packet {
            Packet::Rtp(packet) => {
                let layer = self.layer(&packet.header);
                let packet = RtpPacket {
                    layer,
                    ssrc: packet.header.ssrc,
                    payload_type: packet.header.payload_type,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp,
                    marker: packet.header.marker,
                    recovered: false,
                    payload: packet.payload,
                };
                self.sink.rtp(message.now, packet);
            }
            _ => self.read.push_back(message),
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

/// What a session asks of a sender.
#[derive(Debug)]
pub(crate) enum Feedback {
    Pli { ssrc: u32 },
    Nack { ssrc: u32, sequences: Vec<u16> },
}

impl Feedback {
    fn into_rtcp(self) -> Box<dyn rtc::rtcp::Packet> {
        match self {
            Self::Pli { ssrc } => Box::new(PictureLossIndication { sender_ssrc: SENDER_SSRC, media_ssrc: ssrc }),
            Self::Nack { ssrc, sequences } => Box::new(TransportLayerNack {
                sender_ssrc: SENDER_SSRC,
                media_ssrc: ssrc,
                nacks: nack_pairs_from_sequence_numbers(&sequences),
            }),
        }
    }
}

/// A time of ours that the peer is to repeat (RFC 3611 section 4.4).
fn reference(now: Duration) -> Box<dyn rtc::rtcp::Packet> {
    let block = ReceiverReferenceTimeReportBlock { ntp_timestamp: round_trip::reference(now) };
    Box::new(ExtendedReport { sender_ssrc: SENDER_SSRC, reports: vec![Box::new(block)] })
}

/// Neither tap cares which streams there are.
macro_rules! bind_nothing {
    () => {
        fn bind_local_stream(&mut self, _info: &StreamInfo) {}
        fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
        fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
        fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
    };
}

impl<F: FnMut(&dyn rtc::rtcp::Packet, Instant) + Send + Sync> Interceptor for RtcpTap<F> {
    bind_nothing!();
}

impl Interceptor for MediaTap {
    bind_nothing!();
}
