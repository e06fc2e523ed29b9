package dev.recurrent.zoo.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;

/**
 * The header of a safetensors file: eight bytes of length, little-endian, then a JSON object of
 * that length which gives each tensor's type, shape and place, and optional metadata; the tensors'
 * bytes follow without holes or overlaps to the end of the file.
 *
 * @param tensors the tensors by name
 * @param metadata the metadata, empty if there is none
 */
record SafetensorsHeader(SortedMap<String, TensorInfo> tensors, Map<String, String> metadata) {

    /** The name of the header's entry that is not a tensor. */
    static final String METADATA = "__metadata__";

    /** The longest header, as in the reference implementation. */
    static final long MAX_LENGTH = 100_000_000;

    /**
     * Reads and checks a file's header.
     *
     * @throws CheckpointException if a rule of the format is broken
     */
    static SafetensorsHeader read(Path file, FileChannel channel)
            throws IOException, CheckpointException {
        long size = channel.size();
        long dataStart = Long.BYTES + length(file, channel, size);
        HeaderParser parser = new HeaderParser(file, dataStart);
        StrictJson.parse(file, new FileRegion(channel, Long.BYTES, dataStart), parser::header);
        checkLayout(file, parser.tensors().values(), dataStart, size);
        return new SafetensorsHeader(
                Collections.unmodifiableSortedMap(parser.tensors()),
                Collections.unmodifiableMap(parser.metadata()));
    }

    private static long length(Path file, FileChannel channel, long size)
            throws IOException, CheckpointException {
        if (size <= Long.BYTES) {
            throw new CheckpointException(
                    file, null, "the file has " + size + " bytes; a header needs at least 10");
        }
        // The length and the first byte of the JSON text.
        ByteBuffer start = ByteBuffer.allocate(Long.BYTES + 1).order(ByteOrder.LITTLE_ENDIAN);
        while (start.hasRemaining() && channel.read(start, start.position()) >= 0) {}
        long length = start.getLong(0);
        if (length < 0 || length > MAX_LENGTH) {
            throw new CheckpointException(
                    file,
                    null,
                    "the header length is "
                            + Long.toUnsignedString(length)
                            + "; it may be at most "
                            + MAX_LENGTH);
        } else if (length > size - Long.BYTES) {
            throw new CheckpointException(
                    file,
                    null,
                    "the header length is "
                            + length
                            + ", but only "
                            + (size - Long.BYTES)
                            + " bytes follow it: is the file truncated?");
        } else if (length == 0 || start.get(Long.BYTES) != '{') {
            throw new CheckpointException(file, null, "the header must start with '{'");
        }
        return length;
    }

    /** Checks that the tensors cover the rest of the file exactly, each byte once. */
    private static void checkLayout(
            Path file, Iterable<TensorInfo> tensors, long dataStart, long size)
            throws CheckpointException {
        List<TensorInfo> order = new ArrayList<>();
        tensors.forEach(order::add);
        order.sort(Comparator.comparingLong(TensorInfo::begin).thenComparing(TensorInfo::end));
        long position = dataStart;
        for (TensorInfo tensor : order) {
            if (tensor.begin() != position) {
                String fault = tensor.begin() < position ? "overlaps another" : "follows a hole";
                throw new CheckpointException(
                        file,
                        tensor.name(),
                        String.format(
                                Locale.ROOT,
                                "its data %s: it begins at offset %d and must begin at %d",
                                fault,
                                tensor.begin() - dataStart,
                                position - dataStart));
            }
            position = tensor.end();
            if (position > size) {
                throw new CheckpointException(
                        file,
                        tensor.name(),
                        String.format(
                                Locale.ROOT,
                                "its data ends at offset %d, but the file holds %d bytes of data:"
                                        + " is the file truncated?",
                                position - dataStart,
                                size - dataStart));
            }
        }
        if (position < size) {
            throw new CheckpointException(
                    file,
                    null,
                    (size - position) + " bytes follow the last tensor's data; none may");
        }
    }
}
