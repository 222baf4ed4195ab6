use super::*;

const TEXT: u8 = 1;
const CONTINUATION: u8 = 0;
const PING: u8 = 9;
const LIMIT: usize = 1024 * 1024;

/// A masked header.
fn header(first: u8, payload: usize) -> Vec<u8> {
    let mut header = vec![first];
    match payload {
        0..126 => header.push(MASKED | u8::try_from(payload).unwrap()),
        126..65536 => {
            header.push(MASKED | TWO_BYTES);
            header.extend(u16::try_from(payload).unwrap().to_be_bytes());
        }
        _ => {
            header.push(MASKED | EIGHT_BYTES);
            header.extend((payload as u64).to_be_bytes());
        }
    }
    header.extend([1, 2, 3, 4]);
    header
}

fn frame(first: u8, payload: usize) -> Vec<u8> {
    [header(first, payload), vec![b'x'; payload]].concat()
}

/// Reads bytes until they are read or the meter is blocked. Returns what is passed on, and what is not read.
fn read<'a>(meter: &mut FrameMeter, mut bytes: &'a [u8]) -> (Vec<u8>, &'a [u8]) {
    let mut passed = Vec::new();
    while meter.blocked().is_none() {
        if let Some((header, length)) = meter.next_part() {
            passed.extend(&header[..length]);
            continue;
        }
        if bytes.is_empty() {
            break;
        }
        let (mut chunk, most) = match meter.incomplete_header() {
            Some((known, missing)) => (known.to_vec(), missing),
            None => (Vec::new(), meter.max_read().min(512)),
        };
        let (now, later) = bytes.split_at(most.min(bytes.len()));
        chunk.extend(now);
        bytes = later;
        let length = meter.receive(&mut chunk);
        passed.extend(&chunk[..length]);
    }
    (passed, bytes)
}

#[test]
fn small_frames_are_passed_on_unchanged() {
    let mut meter = FrameMeter::new(LIMIT);
    let frames = [
        frame(FIN | TEXT, 0),
        frame(FIN | TEXT, 125),
        frame(TEXT, 126),
        frame(FIN | PING, 3),
        frame(FIN | CONTINUATION, MAX_PAYLOAD_BYTES),
        vec![FIN | TEXT, 2, b'a', b'b'],
    ]
    .concat();
    assert_eq!(read(&mut meter, &frames), (frames.clone(), &[][..]));
}

#[test]
fn large_frames_are_split() {
    let rest = 100;
    for (first, is_final) in [(FIN | TEXT, true), (TEXT, false)] {
        let mut meter = FrameMeter::new(LIMIT);
        let (passed, _) = read(&mut meter, &frame(first, 2 * MAX_PAYLOAD_BYTES + rest));
        let expected = [
            frame(TEXT, MAX_PAYLOAD_BYTES),
            frame(CONTINUATION, MAX_PAYLOAD_BYTES),
            frame(if is_final { FIN } else { 0 }, rest),
        ];
        assert!(passed == expected.concat(), "{first}");
    }
    // Without a mask, which the library rejects.
    let mut meter = FrameMeter::new(LIMIT);
    let length = u16::try_from(MAX_PAYLOAD_BYTES + rest).unwrap().to_be_bytes();
    let (passed, _) = read(&mut meter, &[FIN | TEXT, TWO_BYTES, length[0], length[1], b'x']);
    let length = u16::try_from(MAX_PAYLOAD_BYTES).unwrap().to_be_bytes();
    assert_eq!(passed, [TEXT, TWO_BYTES, length[0], length[1], b'x']);
}

#[test]
fn a_message_stops_where_its_memory_ends() {
    let mut meter = FrameMeter::new(LIMIT);
    let bytes = frame(FIN | TEXT, LIMIT);
    let mut allowed = UNRESERVED_REQUEST_BYTES;
    let mut left = &bytes[..];
    while allowed < LIMIT {
        (_, left) = read(&mut meter, left);
        assert_eq!((left.len(), meter.blocked()), (LIMIT - allowed, Some(Blocked::MemoryRequired)));
        allowed *= 2;
        meter.allow(allowed);
    }
    assert_eq!(read(&mut meter, left).1, b"", "the limit itself is allowed");
    // The next message has no more than others.
    let (_, left) = read(&mut meter, &bytes);
    assert_eq!(left.len(), LIMIT - UNRESERVED_REQUEST_BYTES);
    assert_eq!(meter.allowed_bytes(), UNRESERVED_REQUEST_BYTES);
}

#[test]
fn the_announced_length_is_limited() {
    for length in [LIMIT + 1, usize::MAX] {
        let mut meter = FrameMeter::new(LIMIT);
        let announced = header(FIN | TEXT, length);
        read(&mut meter, &announced);
        assert_eq!(meter.blocked(), Some(Blocked::TooLarge), "{length}");
        meter.set_limit(usize::MAX);
        assert_eq!(meter.blocked(), None);
    }
    let mut meter = FrameMeter::new(LIMIT);
    read(&mut meter, &[frame(TEXT, 100), header(CONTINUATION, LIMIT - 99)].concat());
    assert_eq!(meter.blocked(), Some(Blocked::TooLarge), "together with the fragment before");
}

#[test]
fn fragments_count_together() {
    // So short that a read often ends with a frame.
    for payload in [1, 250, 504, 5000] {
        let mut meter = FrameMeter::new(LIMIT);
        let (mut frames, mut sent) = (frame(TEXT, payload), payload);
        while sent < 2 * UNRESERVED_REQUEST_BYTES {
            frames.extend([frame(FIN | PING, 125), frame(CONTINUATION, payload)].concat());
            sent += payload;
        }
        let (_, left) = read(&mut meter, &frames);
        assert_eq!(meter.blocked(), Some(Blocked::MemoryRequired), "{payload}");
        assert!(!left.is_empty() && meter.message_bytes <= UNRESERVED_REQUEST_BYTES + 512, "{payload}");
    }
}

#[test]
fn control_frames_are_not_counted() {
    let mut meter = FrameMeter::new(LIMIT);
    let pings = frame(FIN | PING, 125).repeat(1000);
    assert!(pings.len() > UNRESERVED_REQUEST_BYTES);
    assert_eq!(read(&mut meter, &pings), (pings.clone(), &[][..]));
    assert_eq!((meter.message_bytes, meter.blocked()), (0, None));
    // Nor do they end a message.
    read(&mut meter, &[frame(TEXT, 10), pings, frame(CONTINUATION, 5)].concat());
    assert_eq!(meter.message_bytes, 15);
    read(&mut meter, &frame(FIN | CONTINUATION, 0));
    assert_eq!(meter.message_bytes, 0);
}

#[test]
fn data_is_discarded_after_the_current_part() {
    let mut meter = FrameMeter::new(LIMIT);
    let (begun, rest) = (MAX_PAYLOAD_BYTES / 2, 2 * LIMIT);
    let mut head = header(FIN | TEXT, begun + rest);
    head.extend(vec![b'x'; begun]);
    let mut passed = Vec::new();
    meter.set_limit(usize::MAX);
    passed.extend(read(&mut meter, &head).0);
    meter.set_limit(LIMIT);
    assert_eq!(meter.blocked(), Some(Blocked::TooLarge));
    meter.discard_data();
    let ping = frame(FIN | PING, 7);
    let rest =
        [vec![b'x'; rest], ping.clone(), frame(TEXT, 100), frame(FIN | CONTINUATION, 5000), ping.clone()];
    let rest = rest.concat();
    let (after, left) = read(&mut meter, &rest);
    passed.extend(after);
    let expected = [frame(TEXT, MAX_PAYLOAD_BYTES), ping.clone(), ping].concat();
    assert!(passed == expected && left.is_empty(), "{}", passed.len());
}
