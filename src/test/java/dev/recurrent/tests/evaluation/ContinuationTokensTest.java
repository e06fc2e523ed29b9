package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import com.google.gson.Gson;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.tests.text.TokenizerFiles;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.JsonTokenizer;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where contexts end and continuations begin, against rows of tokens written out by hand. */
class ContinuationTokensTest {

    /** Sums of a few fp32 log-likelihoods of order 5. */
    private static final double ROUNDING = 1e-4;

    private static final int VOCABULARY = 259;
    private static final long TH = 256;
    private static final long THE = 257;
    private static final long END = 258;

    private static NDManager manager;
    private static LanguageModel model;

    @TempDir private Path folder;

    @BeforeAll
    static void open() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager, VOCABULARY);
    }

    @AfterAll
    static void close() {
        manager.close();
    }

    @Test
    void theDelimiterIsScored() throws IOException {
        assertScored(byteLevel(), "A", " ", "the", new long[] {'A'}, new long[] {' ', THE});
    }

    @Test
    void spaceAtTheEndOfAContextIsScoredToo() throws IOException {
        assertScored(byteLevel(), "A \n", "", "the", new long[] {'A'}, new long[] {' ', '\n', THE});
    }

    @Test
    void aTokenAcrossTheBoundaryIsScoredWithEveryChoice() throws IOException {
        long[][] scored = {{THE}, {TH, 'a', 't'}};
        long[] read = {'A', ' '};
        TaskRun asked = ask(byteLevel(), "A th", "", List.of("e", "at"));
        for (int i = 0; i < scored.length; i++) {
            assertThat(asked.logLikelihoods(0).get(i))
                    .isCloseTo(logLikelihood(read, scored[i]), within(ROUNDING));
        }
    }

    @Test
    void aTokenThatSwallowsTheContextStandsAfterTheEndOfText() throws IOException {
        assertScored(byteLevel(), "th", "", "e", new long[] {END}, new long[] {THE});
    }

    @Test
    void anEmptyContextIsTheEndOfText() throws IOException {
        assertScored(byteLevel(), "", " ", "b", new long[] {END}, new long[] {' ', 'b'});
        assertScored(byteLevel(), "  ", "", "b", new long[] {END}, new long[] {' ', ' ', 'b'});
    }

    @Test
    void withoutAnEndOfTextItIsALineBreak() throws IOException {
        assertScored(new ByteTokenizer(), "", "", "b", new long[] {'\n'}, new long[] {'b'});
    }

    @Test
    void aBeginningTokenIsReadOnce() throws IOException {
        TokenizerFiles.writeWords(folder, "one", "two");
        try (Tokenizer words = JsonTokenizer.open(folder.resolve("tokenizer.json"))) {
            assertScored(words, "two", " ", "one two", new long[] {1, 3}, new long[] {2, 3});
            assertScored(words, "", " ", "one", new long[] {1}, new long[] {2});
        }
    }

    @Test
    void anAnswerWithoutTokensIsRefused() throws IOException {
        TokenizerFiles.writeWords(folder, "one", "two");
        try (Tokenizer words = JsonTokenizer.open(folder.resolve("tokenizer.json"))) {
            assertThatThrownBy(() -> ask(words, "one", " ", List.of(" ", "two")))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("questions.jsonl, line 1")
                    .hasMessageContaining("no tokens");
        }
    }

    private Tokenizer byteLevel() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        return JsonTokenizer.open(folder.resolve("tokenizer.json"));
    }

    /** Asserts what is read and what is scored; a second choice must not change it. */
    private void assertScored(
            Tokenizer tokenizer,
            String context,
            String delimiter,
            String choice,
            long[] read,
            long[] scored)
            throws IOException {
        TaskRun asked = ask(tokenizer, context, delimiter, List.of(choice, choice + " one"));
        assertThat(asked.logLikelihoods(0).get(0))
                .isCloseTo(logLikelihood(read, scored), within(ROUNDING));
        int longer = tokenizer.encode(context + delimiter + choice + " one").length;
        int shorter = tokenizer.encode(context + delimiter + choice).length;
        assertThat(asked.tally().tokens())
                .isEqualTo(read.length + 2L * (scored.length - 1) + longer - shorter);
    }

    private TaskRun ask(Tokenizer tokenizer, String context, String delimiter, List<String> choices)
            throws IOException {
        Files.writeString(
                folder.resolve("questions.jsonl"),
                new Gson().toJson(Map.of("q", context, "c", choices, "a", 0)));
        Path file =
                Files.writeString(
                        folder.resolve("task.json"),
                        new Gson()
                                .toJson(
                                        Map.of(
                                                "name", "boundaries",
                                                "kind", "multiple_choice",
                                                "data", "questions.jsonl",
                                                "context", "{{q}}",
                                                "choices", "{{c}}",
                                                "answer", "{{a}}",
                                                "delimiter", delimiter)));
        return TaskRun.of(
                Tasks.create(file.toString(), TaskOptions.DEFAULT), model, tokenizer, manager, 2);
    }

    private static double logLikelihood(long[] read, long[] scored) {
        long[] row = new long[read.length + scored.length];
        System.arraycopy(read, 0, row, 0, read.length);
        System.arraycopy(scored, 0, row, read.length, scored.length);
        return SmallModel.logLikelihood(model, manager, row, scored.length);
    }
}
