package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QuestionFormatsTest {

    private static NDManager manager;
    private static LanguageModel model;

    @TempDir private Path folder;

    @BeforeAll
    static void open() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager);
    }

    @AfterAll
    static void close() {
        manager.close();
    }

    @Test
    void hellaswagJoinsAndCleansItsTexts() throws IOException {
        TaskRun asked =
                ask(
                        "hellaswag",
                        """
                        {"activity_label": "Mowing", "ctx_a": "A man walks.", "ctx_b": "the MAN",\
                         "ctx": "unused", "endings": ["sits  down.", "[a] flies.", "x", "y"],\
                         "label": "1"}

                        {"activity_label": "Tea", "ctx": " Boil it [title] Then wait [step]. ",\
                         "endings": ["Drink.", "Run [header] off."], "label": 0}
                        """);
        assertAsked(
                asked,
                0,
                List.of("Mowing: A man walks. The man"),
                List.of(" sits down.", "  flies.", " x", " y"),
                1);
        assertAsked(
                asked, 1, List.of("Tea: Boil it. Then wait ."), List.of(" Drink.", " Run off."), 0);
    }

    @Test
    void piqaAsksForASolution() throws IOException {
        TaskRun asked =
                ask(
                        "piqa",
                        """
                        {"goal": "Dry a cup", "sol1": "Use a towel.", "sol2": "Use a fork.", "label": 0}
                        {"goal": "Cut bread", "sol1": "Shout.", "sol2": "Saw.", "label": "1"}
                        """);
        assertAsked(
                asked,
                0,
                List.of("Question: Dry a cup\nAnswer:"),
                List.of(" Use a towel.", " Use a fork."),
                0);
        assertThat(asked.sample(1)).containsEntry("answer", 1);
        assertThat(asked.tally().wholes())
                .extracting(estimate -> estimate.metric().name())
                .containsExactly("acc", "acc_norm");
    }

    @ParameterizedTest
    @ValueSource(strings = {"arc_easy", "arc_challenge"})
    void arcReadsBothFormats(String name) throws IOException {
        TaskRun asked =
                ask(
                        name,
                        """
                        {"id": "a", "question": "What floats?", "answerKey": "C",\
                         "choices": {"text": ["lead", "iron", "cork"], "label": ["A", "B", "C"]}}
                        {"id": "b", "question": {"stem": "What sinks?", "choices":\
                         [{"text": "lead", "label": "1"}, {"text": "wood", "label": "2"}]},\
                         "answerKey": "1"}
                        """);
        assertAsked(
                asked,
                0,
                List.of("Question: What floats?\nAnswer:"),
                List.of(" lead", " iron", " cork"),
                2);
        assertAsked(
                asked, 1, List.of("Question: What sinks?\nAnswer:"), List.of(" lead", " wood"), 0);
    }

    @Test
    void winograndeVariesTheContext() throws IOException {
        TaskRun asked =
                ask(
                        "winogrande",
                        """
                        {"sentence": "The cat left the dog as _ was tired.", "option1": "the cat",\
                         "option2": "the dog", "answer": "1"}
                        {"sentence": "_ 's hat fell on Bo", "option1": "Al", "option2": "Bo", "answer": "2"}
                        """);
        assertAsked(
                asked,
                0,
                List.of("The cat left the dog as the cat", "The cat left the dog as the dog"),
                List.of(" was tired.", " was tired."),
                0);
        assertAsked(
                asked,
                1,
                List.of("Al", "Bo"),
                List.of(" 's hat fell on Bo", " 's hat fell on Bo"),
                1);
        assertThat(asked.tally().wholes())
                .extracting(estimate -> estimate.metric().name())
                .containsExactly("acc");
    }

    @Test
    void theGenericFormatHasTwoNamesForEach() throws IOException {
        TaskRun asked =
                ask(
                        "multiple_choice",
                        """
                        {"context": "one two", "choices": ["three", "nine"], "answer": 0}
                        {"query": "", "choices": ["a", "b", ""], "gold": 1}
                        """);
        assertAsked(asked, 0, List.of("one two"), List.of(" three", " nine"), 0);
        assertAsked(asked, 1, List.of(""), List.of(" a", " b", " "), 1);
    }

    @Test
    void lambadaSplitsAtTheLastSpace() throws IOException {
        TaskRun asked =
                ask(
                        "lambada",
                        """
                        {"text": "He called  his dog\\nRex over"}
                        {"text": "two words \\n"}
                        """);
        assertAsked(asked, 0, List.of("He called  his dog\nRex"), List.of(" over"), 0);
        assertAsked(asked, 1, List.of("two"), List.of(" words"), 0);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "hellaswag | {\"activity_label\": \"a\", \"ctx\": \"b\", \"endings\": [\"c\","
                        + " \"d\"], \"label\": \"\"} | \"label\" is not a whole number",
                "hellaswag | {\"activity_label\": \"a\", \"ctx\": \"b\", \"endings\": \"c\","
                        + " \"label\": 0} | not an array of strings",
                "hellaswag | {\"activity_label\": \"a\", \"ctx\": \"b\", \"endings\": [\"c\","
                        + " \"d\"], \"label\": 2} | the choices are 0 to 1",
                "piqa | {\"goal\": \"g\", \"sol1\": \"s\", \"label\": 0} | no \"sol2\"",
                "piqa | {\"goal\": \"g\", \"sol1\": 1, \"sol2\": \"s\", \"label\": 0} | not a"
                        + " string",
                "arc_easy | {\"question\": \"q\", \"answerKey\": \"E\", \"choices\": {\"text\":"
                        + " [\"a\", \"b\"], \"label\": [\"A\", \"B\"]}} | none of A, B",
                "arc_easy | {\"question\": \"q\", \"answerKey\": \"A\", \"choices\": {\"text\":"
                        + " [\"a\"], \"label\": [\"A\", \"B\"]}} | 2 labels and 1 texts",
                "arc_easy | {\"question\": \"q\", \"answerKey\": \"A\", \"choices\": [\"a\"]} |"
                        + " \"choices\" is not an object",
                "arc_easy | {\"question\": {\"stem\": \"q\", \"choices\": [1]}, \"answerKey\":"
                        + " \"A\"} | an element of \"choices\" is not an object",
                "winogrande | {\"sentence\": \"no blank\", \"option1\": \"a\", \"option2\": \"b\","
                        + " \"answer\": \"1\"} | no _",
                "winogrande | {\"sentence\": \"last _ \", \"option1\": \"a\", \"option2\": \"b\","
                        + " \"answer\": \"1\"} | nothing follows",
                "winogrande | {\"sentence\": \"a _ b\", \"option1\": \"a\", \"option2\": \"b\","
                        + " \"answer\": \"\"} | not a whole number",
                "winogrande | {\"sentence\": \"a _ b\", \"option1\": \"a\", \"option2\": \"b\","
                        + " \"answer\": \"3\"} | not 1 or 2",
                "multiple_choice | {\"context\": \"c\", \"choices\": [\"a\"], \"answer\": 0} |"
                        + " two choices or more",
                "multiple_choice | {\"context\": \"c\", \"choices\": [\"a\", \"b\"]} |"
                        + " no \"answer\"",
                "multiple_choice | {\"context\": \"c\", \"choices\": [\"\\ud800\", \"b\"],"
                        + " \"answer\": 0} | surrogate",
                "multiple_choice | [1] | not a JSON object",
                "lambada | {\"text\": \"word\"} | no last word",
                "lambada | {\"text\": \" word\"} | no last word",
                "lambada | {\"text\": \"two words\" | not JSON"
            })
    void malformedLinesAreNamed(String task, String line, String complaint) throws IOException {
        Files.writeString(folder.resolve(task + ".jsonl"), "\n\n" + line + "\n");
        assertThatThrownBy(() -> Tasks.create(task, TaskOptions.DEFAULT.withData(folder)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(task + ".jsonl, line 3")
                .hasMessageContaining(complaint);
    }

    @Test
    void saysWhichFileIsMissing() {
        assertThatThrownBy(() -> Tasks.create("piqa", TaskOptions.DEFAULT))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("--data DIR")
                .hasMessageContaining("piqa.jsonl");
        assertThatThrownBy(() -> Tasks.create("piqa", TaskOptions.DEFAULT.withData(folder)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(folder.resolve("piqa.jsonl").toString());
    }

    private TaskRun ask(String task, String lines) throws IOException {
        Files.writeString(folder.resolve(task + ".jsonl"), lines);
        return TaskRun.of(
                Tasks.create(task, TaskOptions.DEFAULT.withData(folder)),
                model,
                new ByteTokenizer(),
                manager,
                2);
    }

    private static void assertAsked(
            TaskRun asked,
            int index,
            List<String> contexts,
            List<String> continuations,
            int answer) {
        assertThat(asked.sample(index))
                .containsEntry("contexts", contexts)
                .containsEntry("continuations", continuations)
                .containsEntry("answer", answer);
    }
}
