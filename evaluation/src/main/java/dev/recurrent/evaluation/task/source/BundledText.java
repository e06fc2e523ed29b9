package dev.recurrent.evaluation.task.source;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Texts inside the jar. */
public final class BundledText {

    /** An original play, some 19 KB in the manner of Shakespeare's. */
    public static final String PLAY = "the-ferryman.txt";

    private static final String FOLDER = "/dev/recurrent/evaluation/text/";

    private BundledText() {}

    /** Returns {@link #PLAY}. */
    public static MeasuredText play() {
        try (InputStream in = BundledText.class.getResourceAsStream(FOLDER + PLAY)) {
            return new StringText(PLAY, new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + PLAY + " in the jar", e);
        }
    }
}
