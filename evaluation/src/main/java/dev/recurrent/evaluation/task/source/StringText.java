package dev.recurrent.evaluation.task.source;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/**
 * A text in memory.
 *
 * @param where it is from, for people
 * @param string the text
 */
public record StringText(String where, String string) implements MeasuredText {

    @Override
    public InputStream open() {
        return new ByteArrayInputStream(string.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public long bytes() {
        return string.getBytes(StandardCharsets.UTF_8).length;
    }

    @Override
    public long words() {
        WordCounter counter = new WordCounter();
        string.chars().forEach(character -> counter.add((char) character));
        return counter.words();
    }
}
