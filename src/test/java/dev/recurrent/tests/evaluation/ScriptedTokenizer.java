package dev.recurrent.tests.evaluation;

import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** A tokenizer by which the first token that a model gives reads as an answer from a script. */
final class ScriptedTokenizer implements Tokenizer {

    private final Tokenizer inner;
    private final Deque<String> answers;
    private final Set<Long> ends;

    private ScriptedTokenizer(Tokenizer inner, List<String> answers, Set<Long> ends) {
        this.inner = inner;
        this.answers = new ArrayDeque<>(answers);
        this.ends = ends;
    }

    /** Gives answers to texts in the order in which they are generated. */
    static Tokenizer saying(Tokenizer inner, List<String> answers) {
        return new ScriptedTokenizer(inner, answers, inner.endOfText());
    }

    /** Ends every text at its first token. */
    static Tokenizer silent(Tokenizer inner) {
        Set<Long> all = LongStream.range(0, inner.vocabulary()).boxed().collect(Collectors.toSet());
        return new ScriptedTokenizer(inner, List.of(), all);
    }

    @Override
    public long[] encode(String text) {
        return inner.encode(text);
    }

    @Override
    public String decode(long[] ids) {
        return inner.decode(ids);
    }

    @Override
    public TextDecoder newDecoder() {
        String answer = answers.isEmpty() ? "" : answers.remove();
        return new TextDecoder() {

            private String next = answer;

            @Override
            public String add(long id) {
                String text = next;
                next = "x";
                return text;
            }

            @Override
            public String flush() {
                return "";
            }
        };
    }

    @Override
    public long vocabulary() {
        return inner.vocabulary();
    }

    @Override
    public Set<Long> endOfText() {
        return ends;
    }
}
