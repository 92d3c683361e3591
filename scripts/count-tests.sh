# Sourced by scripts that run tests: builds them, runs them through ctest and counts their cases.

passed=0
failed=0
skipped=0
failures=()

fail() {
  failed=$((failed + 1))
  failures+=("$1")
}

# check NAME COMMAND...: a phase that counts as one test.
check() {
  if phase "$@"; then
    passed=$((passed + 1))
  else
    fail "$1"
  fi
}

# attribute NAME XML_TAG: the value of an attribute, empty when it is absent.
attribute() {
  sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p" <<<" $2"
}

# count_results BUILD JUNIT: adds what ctest ran. A GoogleTest binary counts by its own cases,
# which it leaves in BUILD/test-results/NAME.xml; one that reports success and yet ended badly (a
# crash, a time-out, a leak) counts as one more failure.
count_results() {
  local build=$1 junit=$2 tag name status cases total bad left
  while read -r tag; do
    name=$(attribute name "$tag")
    status=$(attribute status "$tag")
    cases=$build/test-results/$name.xml
    if [[ -s $cases ]]; then
      total=$(grep -c '<testcase ' "$cases" || true)
      left=$(grep -c '<testcase .* result="\(skipped\|suppressed\)"' "$cases" || true)
      bad=$(sed -n 's/.*<testsuites .* failures="\([0-9]*\)".*/\1/p' "$cases")
      passed=$((passed + total - left - bad))
      skipped=$((skipped + left))
      failed=$((failed + bad))
      if [[ $status != run && $bad == 0 ]]; then
        fail "$build: $name ended badly after its cases passed"
      elif ((bad > 0)); then
        failures+=("$build: $name, $bad cases")
      fi
    elif [[ $status == run ]]; then
      passed=$((passed + 1))
    elif [[ $status == notrun ]] && grep -A2 "<testcase name=\"$name\"" "$junit" | grep -q SKIP_; then
      skipped=$((skipped + 1))
    else
      fail "$build: $name ($status)"
    fi
  done < <(grep -o '<testcase [^>]*>' "$junit")
}

# print_skips BUILD: why tests were skipped, each reason once.
print_skips() {
  cat "$1"/test-results/*.xml 2>/dev/null |
    sed -n 's/.*<skipped message="\([^"]*\)".*/\1/p' | sed 's/&#x0A;/ /g; s/.*\.cpp:[0-9]* //' |
    sort | uniq -c | sed 's/^ *\([0-9]*\) /skipped \1: /' || true
}

# run_tests BUILD [CTEST OPTIONS...]
run_tests() {
  local build=$1 junit code=0
  shift
  junit=$PWD/$build/ctest.xml
  rm -rf "$junit" "$build/test-results"
  mkdir -p "$build/test-results"
  ctest --test-dir "$build" -j "$JOBS" --output-on-failure --no-tests=error \
    --output-junit "$junit" "$@" || code=$?
  if [[ -s $junit ]]; then
    count_results "$build" "$junit"
    print_skips "$build"
  else
    fail "$build: ctest ran nothing"
  fi
  return $code
}

# build_and_test PRESET [CTEST OPTIONS...]
build_and_test() {
  local preset=$1
  shift
  if phase "build $preset" scripts/build "$preset" -DNARROWS_TESTS=ON; then
    phase "test $preset" run_tests "build/$preset" "$@" || true
  else
    fail "build of $preset"
  fi
}

# What runs on arm64; the rest is about this machine's programs or takes hours in an emulator.
ARM64_TESTS=(base tensor vision codec graph formats engine executor zoo plan bundle pipeline cli
  onnx_node fuzz_frame_decoder fuzz_maximum_effort fuzz_onnx_reader fuzz_darknet_reader
  fuzz_graph_text fuzz_plan_json)

# run_arm64: the tests of the device build for arm64 under an emulator, and a node there with a
# server here, for which the workbench build must be there.
run_arm64() {
  local targets=("${ARM64_TESTS[@]/#/narrows_}") full=${NARROWS_FULL:-}
  if ! phase "build arm64" scripts/build arm64 -DNARROWS_TESTS=ON narrows "${targets[@]/%/_test}"; then
    fail "build of arm64"
    return
  fi
  unset NARROWS_FULL  # long loops are for fast machines
  phase "test arm64" run_tests build/arm64 \
    -R "^($(IFS='|'; echo "${ARM64_TESTS[*]}"))\$" || true
  NARROWS_ARM64=1 phase "arm64 node with this machine's server" \
    run_tests build/workbench -R '^arm64_node$' || true
  [[ -z $full ]] || export NARROWS_FULL=$full
}

# print_verdict: what failed, and the counts as the last line; ends the script.
print_verdict() {
  print_phases
  if ((failed > 0)); then
    echo "=== failed"
    printf '%s\n' "${failures[@]}"
  fi
  if ((skipped > 0)); then
    echo "$passed passed, $failed failed, $skipped skipped"
  else
    echo "$passed passed, $failed failed"
  fi
  ((failed == 0))
}
