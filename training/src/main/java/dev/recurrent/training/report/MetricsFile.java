package dev.recurrent.training.report;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Writes the figures of a run as it goes, one JSON object a line (JSONL), {@code null} for what is
 * not finite:
 *
 * <pre>
 * {"step":1,"loss":5.5,"learning_rate":3.0E-4,"gradient_norm":1.2, …}
 * {"step":100,"validation_loss":2.3,"validation_accuracy":0.4}
 * </pre>
 *
 * A step also has {@code tokens_per_second}, its own, and {@code tokens} and {@code seconds}, those
 * of all steps so far, of the sessions before a resume too. A line is with the operating system
 * when a call returns, so that killing the process loses none. {@link RunMetrics#read} reads the
 * file.
 */
public final class MetricsFile implements Closeable {

    private final FileChannel channel;
    private long tokens;
    private double seconds;

    private MetricsFile(FileChannel channel, long tokens, double seconds) {
        this.channel = channel;
        this.tokens = tokens;
        this.seconds = seconds;
    }

    /**
     * Starts the file of a new run.
     *
     * @param file where; its folder must be there
     * @return the file, to be written to
     * @throws java.nio.file.FileAlreadyExistsException if there is one
     * @throws IOException if it cannot be created
     */
    public static MetricsFile create(Path file) throws IOException {
        return new MetricsFile(
                FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                0,
                0);
    }

    /**
     * Goes on with the file of a run that goes on from a step: what was written after that step is
     * cut off, and a last line that is not whole. A file in which anything else is not in order is
     * not touched.
     *
     * @param file where; created if it is not there
     * @param step the last step that counts
     * @return the file, to be written to
     * @throws MetricsFileException if the file is not the metrics file of a run
     * @throws IOException if it cannot be read or cut
     */
    public static MetricsFile resume(Path file, long step) throws IOException {
        if (Files.notExists(file)) {
            return create(file);
        }
        long end = 0;
        long tokens = 0;
        double seconds = 0;
        try (MetricsLines lines = new MetricsLines(file)) {
            boolean stays = true;
            for (MetricsLine line = lines.next(); line != null; line = lines.next()) {
                stays = stays && line.step() <= step;
                if (stays) {
                    end = lines.end();
                }
                if (stays && !line.isValidation()) {
                    tokens = line.training().tokens();
                    seconds = line.training().seconds();
                }
            }
        }
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        try {
            channel.truncate(end).position(end);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        return new MetricsFile(channel, tokens, seconds);
    }

    /**
     * Writes a step.
     *
     * @param step every step, as tokens and seconds are added up
     * @throws IOException if it cannot be written; nothing of it is in the file then
     */
    public void write(Step step) throws IOException {
        tokens += step.tokens();
        seconds += step.seconds();
        append(
                MetricsLine.of(
                        new RunMetrics.Training(
                                step.step(),
                                step.loss(),
                                step.learningRate(),
                                step.gradientNorm(),
                                tokens,
                                step.tokens() / step.seconds(),
                                seconds)));
    }

    /**
     * Writes the result of a validation.
     *
     * @param step after which it was made
     * @param loss in nats a token
     * @param accuracy the part of tokens that the model would have guessed
     * @throws IOException if it cannot be written; nothing of it is in the file then
     */
    public void writeValidation(long step, double loss, double accuracy) throws IOException {
        append(MetricsLine.of(new RunMetrics.Validation(step, loss, accuracy)));
    }

    private void append(MetricsLine line) throws IOException {
        long end = channel.position();
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(line + "\n");
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            // A full disk takes a part of a line; the next line must not follow on it.
            channel.truncate(end).position(end);
            throw e;
        }
    }

    /** Makes what was written last on the disk, and closes the file. */
    @Override
    public void close() throws IOException {
        if (channel.isOpen()) {
            channel.force(false);
            channel.close();
        }
    }
}
