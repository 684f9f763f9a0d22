"""Publishes a test picture and sound by WHIP, as aiortc or as FFmpeg's muxer does it.

The picture is grey with a white flash in the first 100 ms of each second, and the sound a 1 kHz beep in the same 100 ms, so that
whoever plays it can measure their offset.
"""

import argparse
import asyncio
import fractions
import subprocess
import tempfile
import time

import av
import numpy

RATE = 48_000
SAMPLES = 960  # 20 ms


def picture(index: int, args: argparse.Namespace) -> av.VideoFrame:
    second, width, height = index / args.fps, args.width, args.height
    if muted(args, second):
        return av.VideoFrame.from_ndarray(numpy.full((height * 3 // 2, width), 128, numpy.uint8), format="yuv420p")
    luma = numpy.full((height, width), 235 if second % 1 < 0.1 else args.luma, numpy.uint8)
    # Something moves, so that a frozen picture can be told from a still one: along the lower edge, as the middle is where flashes are timed.
    x = int(second * 60) % (width - 32)
    luma[height - 32 :, x : x + 32] = args.luma + 40
    chroma = numpy.full((height // 2, width), 128, numpy.uint8)
    return av.VideoFrame.from_ndarray(numpy.vstack([luma, chroma]), format="yuv420p")


def sound(index: int, args: argparse.Namespace) -> av.AudioFrame:
    at = numpy.arange(index * SAMPLES, (index + 1) * SAMPLES)
    beep = numpy.sin(at * 2 * numpy.pi * 1000 / RATE) * 0.5 * ((at % RATE) < RATE // 10)
    if muted(args, index * SAMPLES / RATE):
        beep = numpy.zeros(SAMPLES)
    stereo = numpy.repeat((beep * 32767).astype(numpy.int16), 2)
    frame = av.AudioFrame.from_ndarray(stereo.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = RATE
    return frame


def muted(args: argparse.Namespace, second: float) -> bool:
    """Whether it is muted at this second of its own time. aiortc then sends nothing, and consents. FFmpeg's muxer consents only while it sends, so it
    sends grey and silence, as it does for a device that is muted."""
    return args.mute_at <= second < args.mute_at + args.mute_seconds


def certificate(folder: str) -> tuple[str, str]:
    """A P-256 certificate: FFmpeg's own fails the handshake."""
    key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=footlight-test"],
        check=True,
        capture_output=True,
    )
    return key, cert


def publish_ffmpeg(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        key, cert = certificate(folder)
        options = {"authorization": args.token, "cert_file": cert, "key_file": key}
        with av.open(args.url, "w", format="whip", options=options) as out:
            video = out.add_stream("libx264", rate=args.fps)
            video.width, video.height, video.pix_fmt = args.width, args.height, "yuv420p"
            video.bit_rate = args.bitrate
            video.codec_context.gop_size = args.fps
            video.codec_context.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "bf": "0"}
            audio = out.add_stream("libopus", rate=RATE)
            audio.layout = "stereo"
            started, pictures, sounds = time.monotonic(), 0, 0
            while pictures < args.seconds * args.fps:
                if pictures / args.fps <= sounds * SAMPLES / RATE:
                    frame = picture(pictures, args)
                    frame.pts, frame.time_base = pictures, fractions.Fraction(1, args.fps)
                    out.mux(video.encode(frame))
                    pictures += 1
                else:
                    frame = sound(sounds, args)
                    frame.pts, frame.time_base = sounds * SAMPLES, fractions.Fraction(1, RATE)
                    out.mux(audio.encode(frame))
                    sounds += 1
                ahead = min(pictures / args.fps, sounds * SAMPLES / RATE) - (time.monotonic() - started)
                if ahead > 0:
                    time.sleep(ahead)


async def publish_aiortc(args: argparse.Namespace) -> None:
    import aiohttp
    from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

    class Paced(MediaStreamTrack):
        """Gives frames at their time."""

        def __init__(self, kind, make, interval, time_base, step):
            super().__init__()
            self.kind = kind
            self.make, self.interval, self.time_base, self.step = make, interval, time_base, step
            self.index = 0

        async def recv(self):
            wait = args.started + self.index * self.interval - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if muted(args, self.index * self.interval):
                self.index += round(args.mute_seconds / self.interval)
                return await self.recv()
            frame = self.make(self.index)
            frame.pts, frame.time_base = self.index * self.step, self.time_base
            self.index += 1
            return frame

    args.started = time.monotonic() + 0.5
    connection = RTCPeerConnection()
    video = Paced("video", lambda i: picture(i, args), 1 / args.fps, fractions.Fraction(1, args.fps), 1)
    audio = Paced("audio", lambda i: sound(i, args), SAMPLES / RATE, fractions.Fraction(1, RATE), SAMPLES)
    for track in (video, audio):
        connection.addTransceiver(track, direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Authorization": f"Bearer {args.token}", "Content-Type": "application/sdp"}
    async with aiohttp.ClientSession() as http:
        async with http.post(args.url, data=connection.localDescription.sdp, headers=headers) as answer:
            if answer.status != 201:
                raise SystemExit(f"the server answered {answer.status}: {await answer.text()}")
            location = answer.headers["Location"]
            await connection.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))
        print("publishing", flush=True)
        await asyncio.sleep(args.seconds)
        await http.delete(str(answer.url.join(type(answer.url)(location))), headers=headers)
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=["aiortc", "ffmpeg"])
    parser.add_argument("url")
    parser.add_argument("--token", default="")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--mute-at", type=float, default=0, help="second from which it is muted, in picture and sound")
    parser.add_argument("--mute-seconds", type=float, default=0, help="for how long that is")
    parser.add_argument("--luma", type=int, default=90, help="what the picture is filled with between flashes, in limited range")
    parser.add_argument("--bitrate", type=int, default=800_000)
    args = parser.parse_args()
    if args.client == "ffmpeg":
        publish_ffmpeg(args)
    else:
        asyncio.run(publish_aiortc(args))


if __name__ == "__main__":
    main()
