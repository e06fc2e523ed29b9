package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A file of outcomes, one JSON object a line, under a temporary name until it is whole: that of
 * {@link dev.recurrent.zoo.checkpoint.AtomicFiles}, which cleans up after writers that were killed.
 */
final class SamplesFile implements Closeable {

    private static final SecureRandom RANDOM = new SecureRandom();

    private final Path file;
    private final Path temporary;
    private final FileChannel channel;
    private final BufferedWriter writer;

    SamplesFile(Path file) throws IOException {
        this.file = file;
        String unique = HexFormat.of().toHexDigits(RANDOM.nextLong());
        temporary = file.resolveSibling("." + file.getFileName() + "." + unique + ".tmp");
        channel =
                FileChannel.open(
                        temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        writer = new BufferedWriter(Channels.newWriter(channel, StandardCharsets.UTF_8));
    }

    void write(String model, int length, Outcome outcome) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("model", model);
        line.put("length", length > 0 ? length : null);
        line.put("doc", outcome.document());
        line.put("sample", outcome.sample());
        line.put("observations", outcome.observations().stream().map(SamplesFile::map).toList());
        line.put("tokens", outcome.tokens());
        line.put("state_bytes", outcome.stateBytes());
        writer.write(Json.line(line));
    }

    private static Map<String, Object> map(Observation observation) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("metric", observation.metric());
        map.put("value", observation.value());
        map.put("weight", observation.weight());
        Bucket bucket = observation.bucket();
        if (bucket != null) {
            map.put("axis", bucket.axis());
            map.put("from", bucket.from());
            map.put("to", bucket.to());
        }
        return map;
    }

    /** Gives the file its name; it is whole. */
    void finish() throws IOException {
        writer.flush();
        channel.force(true);
        writer.close();
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Deletes what was not finished. */
    @Override
    public void close() throws IOException {
        writer.close();
        Files.deleteIfExists(temporary);
    }
}
