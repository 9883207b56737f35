"""The three labeling configs of the article, verbatim."""
# ruff: noqa: E501 - as they were published

COMPARISON = """
<View className="root">
 <Text name="chat" value="$question" layout="dialogue" />
 <Header value="Answer:"/>
   <Text name="summary" value="$answer" toName="summary" rows="4" editable="false" maxSubmissions="1" showSubmitButton="false"/>
 <Header value="User prompt:" />
 <View className="prompt">
 <TextArea name="prompt" toName="chat" rows="4" editable="true" maxSubmissions="1" showSubmitButton="true" />
 </View>
 <Header value="Bot answer:"/>
   <TextArea name="response" toName="chat" rows="4" editable="false" maxSubmissions="1" showSubmitButton="false" />
</View>
"""
QUESTIONS = """
<View className="root">
<Text name="chat" value="$text" layout="dialogue"/>
 <Header value="Question prompt:"/>
 <View className="prompt">
   <TextArea name="prompt" toName="chat" rows="4" editable="true" maxSubmissions="1" showSubmitButton="false"/>
 </View>
 <Header value="Proposed questions:"/>
 <TextArea name="response" toName="chat" rows="3" editable="true" maxSubmissions="1" showSubmitButton="false"/>
</View>
"""
ANSWERS = """
<View className="root">
<Text name="chat" value="$text" layout="dialogue"/>
 <Header value="Answer prompt:"/>
 <View className="prompt">
   <TextArea name="prompt" toName="chat" rows="4" editable="true" maxSubmissions="1" showSubmitButton="false"/>
 </View>
 <Header value="Proposed answer:"/>
 <TextArea name="response" toName="chat" rows="3" editable="true" maxSubmissions="1" showSubmitButton="false"/>
</View>
"""
ALL = {"comparison": COMPARISON, "questions": QUESTIONS, "answers": ANSWERS}
