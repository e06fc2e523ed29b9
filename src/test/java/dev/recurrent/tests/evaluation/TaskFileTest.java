package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TaskFileTest {

    private static final String QUESTIONS =
            """
            {"question": "What floats?", "answerKey": "B",\
             "choices": {"text": ["lead", "cork"], "label": ["A", "B"]}, "n": 0, "yes": true}
            {"question": "What sinks?", "answerKey": "A",\
             "choices": {"text": ["a coin", "wood"], "label": ["A", "B"]}, "n": 1, "yes": false}
            {"question": "What {{burns}}?", "answerKey": "B",\
             "choices": {"text": ["sand", "$1 \\\\ notes"], "label": ["A", "B"]}, "n": 0,\
             "yes": true}
            """;

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

    @BeforeEach
    void write() throws IOException {
        Files.writeString(folder.resolve("arc_easy.jsonl"), QUESTIONS);
    }

    @Test
    void templatesSayWhatABuiltInFormatSays() throws IOException {
        Path file =
                file(
                        """
                        {"name": "mine", "kind": "multiple_choice", "data": "arc_easy.jsonl",
                         "context": "Question: {{question}}\\nAnswer:",
                         "choices": "{{choices.text}}", "labels": "{{ choices.label }}",
                         "answer": "{{answerKey}}", "shots": 1}
                        """);
        for (int shots : new int[] {1, 2}) {
            TaskRun mine =
                    ask(file.toString(), TaskOptions.DEFAULT.withShots(shots == 1 ? 0 : shots));
            TaskRun own = ask("arc_easy", TaskOptions.DEFAULT.withData(folder).withShots(shots));
            assertThat(mine.outcomes()).isEqualTo(own.outcomes());
            assertThat(mine.tally().wholes()).isEqualTo(own.tally().wholes());
        }
    }

    @Test
    void valuesStandWherePlaceholdersWere() throws IOException {
        Path file =
                file(
                        """
                        {"name": "mine", "kind": "multiple_choice", "data": "arc_easy.jsonl",
                         "context": "{{n}}) {{question}} {{yes}}", "delimiter": "|",
                         "choices": ["A-{{answerKey}}", "never"], "answer": "{{n}}",
                         "metrics": ["acc_norm"], "shots": 2, "separator": "##"}
                        """);
        TaskRun asked = ask(file.toString(), TaskOptions.DEFAULT.withLimit(1));
        assertThat(asked.strings(0, "contexts").get(0))
                .isIn(
                        "1) What sinks? false|never##0) What {{burns}}? true|A-B##0) What floats?"
                                + " true",
                        "0) What {{burns}}? true|A-B##1) What sinks? false|never##0) What floats?"
                                + " true");
        assertThat(asked.strings(0, "continuations")).containsExactly("|A-B", "|never");
        assertThat(asked.tally().wholes())
                .extracting(estimate -> estimate.metric().name())
                .containsExactly("acc_norm");
    }

    @Test
    void lastWordsAndPerplexityAreThoseOfTheBuiltInTasks() throws IOException {
        Files.writeString(
                folder.resolve("lambada.jsonl"),
                "{\"text\": \"a stone in water\"}\n{\"text\": \"no name\"}\n");
        TaskRun words =
                ask(
                        file("""
                        {"name": "w", "kind": "last_word", "data": "lambada.jsonl"}
                        """)
                                .toString(),
                        TaskOptions.DEFAULT);
        assertThat(words.outcomes())
                .isEqualTo(ask("lambada", TaskOptions.DEFAULT.withData(folder)).outcomes());
        TaskRun text =
                ask(
                        file("""
                        {"name": "p", "kind": "perplexity", "data": "lambada.jsonl",
                         "length": 8, "stride": 3, "metrics": ["bits_per_byte"]}
                        """)
                                .toString(),
                        TaskOptions.DEFAULT);
        TaskRun own =
                ask(
                        "perplexity",
                        TaskOptions.DEFAULT
                                .withText(folder.resolve("lambada.jsonl"))
                                .withLength(8)
                                .withStride(3));
        assertThat(text.value("bits_per_byte")).isEqualTo(own.value("bits_per_byte"));
        assertThat(text.tally().wholes()).hasSize(1);
    }

    @Test
    void aTaskFileIsAKindOfTask() throws IOException {
        Path file =
                file("{\"name\": \"p\", \"kind\": \"perplexity\", \"data\": \"arc_easy.jsonl\"}");
        TaskType type = Tasks.find(file.toString()).orElseThrow();
        assertThat(type.name()).isEqualTo("p");
        assertThat(type.hasLength()).isTrue();
        assertThat(Tasks.find("p")).isEmpty();
        assertThat(Tasks.find("lambada")).isPresent();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"contex\": \"x\" | Unknown key 'contex': did you mean context",
                "\"kind\": \"last_words\" | Unknown kind of task 'last_words': did you mean"
                        + " last_word",
                "\"kind\": \"last_word\" | Unknown key 'c",
                "\"metrics\": [\"ac\"] | Unknown metric 'ac': did you mean acc",
                "\"metrics\": [] | acc, acc_norm",
                "\"data\": \"nowhere.jsonl\" | nowhere.jsonl, which is not there",
                "\"examples\": \"none.jsonl\" | none.jsonl, which is not there",
                "\"context\": \"{{question\" | \"context\": \"{{question\" has a placeholder",
                "\"context\": \"{{a b}}\" | {{field}}",
                "\"context\": 1 | \"context\" is not a string",
                "\"shots\": -1 | less than 0",
                "\"shots\": \"x\" | not a whole number",
                "\"name\": \"lambada\" | there already",
                "\"name\": \"a/b\" | letters",
                "\"context\": \"{{stem}}\" | arc_easy.jsonl, line 1: there is no \"stem\"",
                "\"context\": \"{{choices}}\" | line 1: its \"choices\" is not text",
                "\"context\": \"{{question.stem}}\" | line 1: \"question\" is not an object",
                "\"choices\": \"{{question}}\" | line 1: its \"question\" is not an array",
                "\"choices\": \"x\" | does not name an array",
                "\"answer\": \"{{answerKey}}\" | line 1: its answer \"B\" is not an index",
                "\"labels\": [\"x\", \"y\"] | line 1: its answer \"0\" is none of x, y"
            })
    void refusesWhatItCannotMean(String change, String complaint) throws IOException {
        String key = change.substring(0, change.indexOf(':') + 1);
        List<String> entries =
                List.of(
                        "\"name\": \"mine\"",
                        "\"kind\": \"multiple_choice\"",
                        "\"data\": \"arc_easy.jsonl\"",
                        "\"context\": \"{{question}}\"",
                        "\"choices\": \"{{choices.text}}\"",
                        "\"answer\": \"{{n}}\"",
                        change);
        List<String> kept =
                entries.stream()
                        .filter(entry -> entry.equals(change) || !entry.startsWith(key))
                        .toList();
        Path file = file("{" + String.join(", ", kept) + "}");
        assertThatThrownBy(() -> Tasks.create(file.toString(), TaskOptions.DEFAULT))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(folder.toString())
                .hasMessageContaining(complaint);
    }

    @Test
    void refusesFilesThatAreNoTaskFiles() throws IOException {
        assertThatThrownBy(() -> Tasks.find(folder.resolve("none.json").toString()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("There is no task file");
        Path broken = file("{\"name\": ");
        assertThatThrownBy(() -> Tasks.find(broken.toString()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(broken + ": this is not JSON");
        Path empty = file("{}");
        assertThatThrownBy(() -> Tasks.find(empty.toString()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("no \"kind\"");
        Path gaps =
                file(
                        """
                        {"name": "p", "kind": "perplexity", "data": "arc_easy.jsonl", "stride": 2}
                        """);
        assertThatThrownBy(() -> Tasks.find(gaps.toString()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("\"stride\" 2");
    }

    private Path file(String json) throws IOException {
        return Files.writeString(folder.resolve("my_task.json"), json);
    }

    private static TaskRun ask(String task, TaskOptions options) throws IOException {
        return TaskRun.of(Tasks.create(task, options), model, new ByteTokenizer(), manager, 4);
    }
}
