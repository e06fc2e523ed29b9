package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a tokenizer cannot say is refused before a model is loaded. */
class TraitsTest {

    /** Bytes, but for some characters it has nothing. */
    private record Without(String lost) implements Tokenizer {

        private static final ByteTokenizer BYTES = new ByteTokenizer();

        @Override
        public long[] encode(String text) {
            return BYTES.encode(text.replaceAll("[" + lost + "]", ""));
        }

        @Override
        public String decode(long[] ids) {
            return BYTES.decode(ids);
        }

        @Override
        public TextDecoder newDecoder() {
            return BYTES.newDecoder();
        }

        @Override
        public long vocabulary() {
            return BYTES.vocabulary();
        }

        @Override
        public Set<Long> endOfText() {
            return Set.of();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "niah_single_1, 47",
        "niah_single_2, 0",
        "niah_single_3, f",
        "niah_single_3, -",
        "phonebook, -",
        "phonebook, 9"
    })
    void answersMustBeSayable(String name, String lost) throws IOException {
        Tokenizer tokenizer = new Without(lost);
        assertThatThrownBy(() -> fit(name, tokenizer))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("the tokenizer of small cannot represent " + lost);
        assertThatCode(() -> fit(name, new Without("Z"))).doesNotThrowAnyException();
    }

    private static void fit(String name, Tokenizer tokenizer) throws IOException {
        Tasks.create(name, TaskOptions.DEFAULT.withLimit(2))
                .fit(new Traits("small", tokenizer, 256));
    }
}
